"""docs/style.md is true: its commands run, its settings are the code, its tables their JSON."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.generative.styleconfig import StyleConfig, check
from brainlens.recipes import _texts, read_recipe
from tests.commands import run
from tools.style_table import PAGES, filled

PAGE = Path(__file__).resolve().parents[1] / "docs" / "style.md"


@pytest.mark.slow
def test_every_command_of_the_page_runs(tmp_path: Path) -> None:
    for folder, low in (("photos", 0), ("paintings", 100)):
        (tmp_path / folder).mkdir()
        for i in range(6):
            pixels = np.random.default_rng(i).integers(low, low + 90, (64, 80, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{i}.png")
    Image.fromarray(pixels).save(tmp_path / "photo.jpg")
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    lines = [line[2:] for block in blocks for line in block.splitlines()]
    assert len(lines) == 7
    for line in lines:
        code, said = run(shlex.split(line)[1:], tmp_path)
        assert code == 0, f"{line}\n{said}"


def test_the_settings_table_is_the_code() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| `([^`|]*)` \|", PAGE.read_text("utf-8"), re.M))
    expected = {
        field.name: str(field.default).lower() if field.default is False else str(field.default)
        for field in dataclasses.fields(StyleConfig)
    }
    assert {name: table.get(name) for name in expected} == expected


def test_the_page_names_every_recipe_and_each_can_be_trained() -> None:
    from brainlens.core.config import resolve

    for name in _texts("style"):
        assert f"| `{name}` |" in PAGE.read_text("utf-8")
        check(resolve(StyleConfig, read_recipe(name, "style")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_those_of_their_json(page: Path) -> None:
    assert filled(page) == page.read_text("utf-8"), "run python -m tools.style_table"
