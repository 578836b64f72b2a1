"""The house's walls: imports flow down only, and light commands stay light."""

from __future__ import annotations

import ast
from pathlib import Path

import click
import pytest

from tests.loading import HEAVY, loaded

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "brainlens"

# From the top down; neighbours on a line never import each other.
LAYERS = [
    {"cli", "demo", "reproduce", "doctor"},
    {"study", "report", "deploy", "synthesis"},
    {"classify", "generative"},
    {"data", "metrics"},
    {"recipes"},
    {"core"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported_parts(path: Path) -> set[str]:
    """The parts of brainlens that a module imports, anywhere in it."""
    tree = ast.parse(path.read_text("utf-8"))
    names = [
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and node.level == 0
            else []
        )
    ]
    return {name.split(".")[1] for name in names if name.startswith("brainlens.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_flow_down_only(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        assert not imported_parts(path)
        return
    for part in imported_parts(path) - {own}:
        if own == "cli" and part in {"demo", "reproduce", "doctor"}:
            continue
        assert LEVEL[part] > LEVEL[own], f"{own} must not import {part}"


def test_every_relative_import_is_spelled_out() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


@pytest.mark.parametrize(
    "command",
    [["--help"], ["train", "--help"], ["predict", "--help"], ["upscale", "train", "--help"]],
)
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    assert not HEAVY & loaded(command)[0]


def test_files_keep_to_one_noun() -> None:
    for path in MODULES:
        assert len(path.read_text("utf-8").splitlines()) <= 300, f"{path} asks to be split"
        assert path.stem not in {"utils", "helpers", "common", "base", "manager"}


def test_a_list_of_commands_cuts_no_line_short() -> None:
    from brainlens.cli import commands

    groups = [
        commands,
        *(one for one in commands.commands.values() if isinstance(one, click.Group)),
    ]
    for group in groups:
        listed = group.get_help(click.Context(group, max_content_width=80)).split("Commands:")[1]
        assert "..." not in listed, group.name
