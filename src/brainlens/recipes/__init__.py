"""Owns the recipes: one TOML a system or experiment, `train --recipe NAME`.

A recipe is a file of settings; its first comment line says what it is. Those of other commands
than `train` lie in a folder of their own: `upscale/`.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

from brainlens.core.errors import ConfigError, nearest


def _texts(group: str = "") -> dict[str, str]:
    """The recipes' texts by name."""
    folder = files(__package__ or "brainlens.recipes")
    folder = folder / group if group else folder
    return {
        entry.name.removesuffix(".toml"): entry.read_text("utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    }


def list_recipes() -> list[tuple[str, str]]:
    """Each recipe's name and what it is."""
    return [(name, text.partition("\n")[0].lstrip("# ")) for name, text in _texts().items()]


def read_recipe(name: str, group: str = "") -> dict[str, Any]:
    """The settings of a recipe; an unknown name fails with the nearest one."""
    settings = tomllib.loads(recipe_text(name, group))
    if "factors" in settings:
        raise ConfigError(
            f"--recipe {name}: is a study. Run: brainlens study {name} INDEX -o STUDY"
        )
    return settings


def recipe_text(name: str, group: str = "") -> str:
    """A recipe as it was written."""
    texts = _texts(group)
    if name not in texts:
        raise ConfigError(f"--recipe {name}: no such recipe: {nearest(name, texts)}")
    return texts[name]
