"""docs/serve.md is true: its client runs against a server, its options and limits are ours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from brainlens.cli.serve import audit_log, serve
from brainlens.deploy.service.refusals import KINDS
from brainlens.deploy.service.settings import MEGABYTE, Limits
from tests.deploy.service.conftest import SAMPLE, Server, model, running

__all__ = ["model", "running"]
PAGE = (Path(__file__).resolve().parents[1] / "docs" / "serve.md").read_text("utf-8")


def test_every_option_the_page_names_exists() -> None:
    runner = CliRunner()
    known = runner.invoke(serve, ["--help"]).output
    known += runner.invoke(audit_log, ["verify", "--help"]).output
    for option in set(re.findall(r"--[a-z][a-z-]+", PAGE)):
        assert option in known, option


def test_the_stated_limits_are_those_of_the_code() -> None:
    limits = Limits()
    assert f"over {limits.upload // MEGABYTE} MB" in PAGE
    assert f"({limits.album // MEGABYTE} MB" in PAGE
    assert f"{limits.unpacked // (1024 * MEGABYTE)} GB unpacked" in PAGE
    assert f"{limits.files:,} files or slices" in PAGE
    assert limits.files == limits.slices
    assert f"{limits.pixels // 10**6} million pixels a picture" in PAGE
    assert f"{limits.total_pixels // 10**6} million in all" in PAGE
    assert f"after {limits.receive_seconds:g} s" in PAGE
    assert f"{limits.queue} requests" in PAGE
    assert f"up to {limits.batch} at a time" in PAGE
    stated = set(re.findall(r"^\| ([\d, ]+) \| ", PAGE, re.M))
    assert {int(one) for text in stated for one in text.split(", ")} <= {
        kind.status for kind in KINDS.values()
    }


@pytest.mark.slow
def test_the_client_of_the_page_and_the_check_of_the_log_run(
    running: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (code,) = re.findall(r"<!-- client.*?```python\n(.*?)```", PAGE, re.S)
    (tmp_path / "scan.jpg").write_bytes(SAMPLE.read_bytes())
    (tmp_path / "brainlens-server").symlink_to(running.folder)  # where both look for it
    monkeypatch.chdir(tmp_path)
    exec(code.replace("http://127.0.0.1:8000", running.url), {})
    assert capsys.readouterr().out.startswith("scan.jpg ")
    done = CliRunner().invoke(audit_log, ["verify"])
    assert done.exit_code == 0, done.output
    assert "the audit log holds" in done.output
