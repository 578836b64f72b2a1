"""Owns the recipes: one TOML a system or experiment, `train --recipe NAME`.

A recipe is a file of settings; its first comment line says what it is. Those of other commands
than `train` lie in a folder of their own: `upscale/`. Its table `[published]`, what the document it
comes from says, is no setting: `reproduce` reads it.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

from brainlens.core.errors import ConfigError, nearest

PUBLISHED = "published"  # the table of a recipe that is no setting


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
    return {key: value for key, value in settings.items() if key != PUBLISHED}


def read_published(name: str) -> dict[str, Any]:
    """What a classifier's document published; empty for one without a document, and for a study."""
    settings = tomllib.loads(recipe_text(name))
    return {} if "factors" in settings else dict(settings.get(PUBLISHED, {}))


def recipe_text(name: str, group: str = "") -> str:
    """A recipe as it was written."""
    texts = _texts(group)
    if name not in texts:
        raise ConfigError(f"recipe {name}: no such recipe: {nearest(name, texts)}")
    return texts[name]
