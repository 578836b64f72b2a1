"""docs/upscale.md is true: its commands run, its settings are the code, its tables their JSON."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from pathlib import Path

import pytest

from brainlens.data.sample import copy_to
from brainlens.generative.generators import DEFAULT
from brainlens.generative.srconfig import SrConfig
from tests.commands import run
from tests.generative.conftest import small_weights
from tools.upscale_table import PAGES, filled

__all__ = ["small_weights"]
PAGE = Path(__file__).resolve().parents[1] / "docs" / "upscale.md"


@pytest.mark.slow
def test_every_command_of_the_page_runs(
    tmp_path: Path, small_weights: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a generator of one block in the place of ESRGAN's, which would take minutes."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / f"{DEFAULT}.safetensors").write_bytes(small_weights.read_bytes())
    (folder / "vgg16.tv_in1k.safetensors").symlink_to(
        shared / "weights" / "vgg16.tv_in1k.safetensors"
    )
    copy_to(tmp_path / "scans")
    environment = os.environ | {"BRAINLENS_WEIGHTS": str(folder)}
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    lines = [line[2:] for block in blocks for line in block.splitlines()]
    assert len(lines) >= 8
    for line in lines:
        code, said = run(shlex.split(line)[1:], tmp_path, environment)
        assert code == 0, f"{line}\n{said}"


def test_the_settings_table_is_the_code() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| `([^`|]*)` \|", PAGE.read_text("utf-8"), re.M))
    expected = {field.name: str(field.default) for field in dataclasses.fields(SrConfig)}
    assert {name: table.get(name) for name in expected} == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_those_of_their_json(page: Path) -> None:
    assert filled(page) == page.read_text("utf-8"), "run python -m tools.upscale_table"
