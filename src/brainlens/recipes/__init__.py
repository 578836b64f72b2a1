"""Owns the recipes: one TOML a system or experiment, `train --recipe NAME`.

A recipe is a file of training settings; its first comment line says what it is. Its table
`[published]`, what the document says that it comes from, is no setting: `reproduce` reads it.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

from brainlens.core.errors import ConfigError, nearest

PUBLISHED = "published"  # the table of a recipe that is no setting


def _texts() -> dict[str, str]:
    """The recipes' texts by name."""
    folder = files(__package__ or "brainlens.recipes")
    return {
        entry.name.removesuffix(".toml"): entry.read_text("utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    }


def list_recipes() -> list[tuple[str, str]]:
    """Each recipe's name and what it is."""
    return [(name, text.partition("\n")[0].lstrip("# ")) for name, text in _texts().items()]


def read_recipe(name: str) -> dict[str, Any]:
    """The settings of a recipe; an unknown name fails with the nearest one."""
    return {key: value for key, value in _read(name).items() if key != PUBLISHED}


def read_published(name: str) -> dict[str, Any]:
    """What the recipe's document published; empty for a recipe without a document."""
    return dict(_read(name).get(PUBLISHED, {}))


def _read(name: str) -> dict[str, Any]:
    texts = _texts()
    if name not in texts:
        raise ConfigError(f"recipe {name}: no such recipe: {nearest(name, texts)}")
    return tomllib.loads(texts[name])
