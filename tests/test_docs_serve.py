"""docs/serve.md is true: its client runs against a server, its options and limits are ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from brainlens.cli.serve import audit_log, serve
from brainlens.deploy.service.refusals import KINDS
from brainlens.deploy.service.settings import MEGABYTE, Limits
from tests.deploy.service.conftest import SAMPLE, model, serving

__all__ = ["model"]
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
def test_the_client_of_the_page_and_the_check_of_the_log_run(model: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"<!-- client.*?```python\n(.*?)```", PAGE, re.S)
    (tmp_path / "scan.jpg").write_bytes(SAMPLE.read_bytes())
    with serving(model, tmp_path / "brainlens-server") as running:
        program = code.replace("http://127.0.0.1:8000", running.url)
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("scan.jpg ")
    done = subprocess.run(
        [sys.executable, "-m", "brainlens.cli", "audit-log", "verify"], cwd=tmp_path,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 entries" in done.stdout
