"""Owns what a reproduction was asked for: kept in its folder, so that the same can go on.

Enters: recipe, settings, sets and what else changes its figures. Leaves: `asked.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from brainlens.core.errors import RunError
from brainlens.core.files import fresh_folder, write_json

Asked = dict[str, Any]
FILE, DONE = "asked.json", "reproduce.json"


def begin(out: Path, asked: Asked, *, overwrite: bool) -> None:
    """Make the folder ready and remember what was asked."""
    fresh_folder(out, overwrite=overwrite, kind="reproduction")
    write_json(out / FILE, asked)


def go_on(out: Path, asked: Asked) -> None:
    """Let an unfinished reproduction go on; raises RunError for none, a finished or another one."""
    try:
        before: Asked = json.loads((out / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        raise RunError(
            f"{out}: holds no begun reproduction, so there is nothing to resume. Leave --resume out"
        ) from None
    if (out / DONE).is_file():
        raise RunError(f"{out}: has finished, so there is nothing to resume. Use --overwrite")
    changed = _changed(before, json.loads(json.dumps(asked)))
    if changed:
        name, old, new = changed[0]
        raise RunError(
            f"{out}: was begun with {name} = {old}, and not {new}. Go on with that, or start again "
            "with --overwrite"
        )


def _changed(before: Asked, after: Asked) -> list[tuple[str, Any, Any]]:
    """What differs, settings one by one."""
    old, new = ({**one, **one.get("settings", {}), "settings": None} for one in (before, after))
    return [(key, old.get(key), value) for key, value in new.items() if old.get(key) != value]
