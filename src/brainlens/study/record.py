"""Owns `study.json` while a study runs: how it begins, is taken up again, and is read.

A study goes on only with the design and the index it began with; rows whose features were made
with other weights are stale and run again, said so.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from brainlens.core.errors import RunError
from brainlens.core.progress import say
from brainlens.data.index import Index
from brainlens.study.design import Design

Document = dict[str, Any]


def describe(design: Design) -> Document:
    """A design as study.json holds it."""
    described: Document = json.loads(json.dumps(
        {"name": design.name, **dataclasses.asdict(design.config), "goal": design.goal,
         "array": design.array, "factors": design.factors, "arms": design.arms,
         "settings": design.settings}
    ))  # fmt: skip
    return described


def begun(design: Design, index: Index) -> Document:
    """The document before the first row."""
    rows = [
        {"row": i, "levels": [int(level) for level in levels],
         "settings": json.loads(json.dumps(design.levels(i))), "status": "waiting", "error": "",
         "results": {}}
        for i, levels in enumerate(design.matrix)
    ]  # fmt: skip
    return {
        "kind": "study", "design": describe(design), "published": design.published,
        "index_digest": index.digest(), "features": {}, "rows": rows, "seconds": {"all": 0.0},
        "against": None,
    }  # fmt: skip


def resumed(out: Path, design: Design, index: Index) -> Document:
    """The document of an unfinished study; raises RunError for another design or index."""
    document = read(out)
    wanted = describe(design)
    changed = [key for key in wanted if document["design"].get(key) != wanted[key]]
    if changed:
        raise RunError(
            f"{out}: was begun with another design ({changed[0]} differs). Go on with that one, or "
            "start again with --overwrite"
        )
    if document["index_digest"] != index.digest():
        raise RunError(
            f"{out}: was begun on another state of the index. Go on with that one, or start again "
            "with --overwrite"
        )
    done = sum(row["status"] == "done" for row in document["rows"])
    say(f"going on: {done} of {len(document['rows'])} rows are done")
    return document


def note_features(document: Document, digests: dict[str, str]) -> None:
    """Remember which weights the features came from; rows made with others will run again."""
    before = document["features"]
    if any(before.get(name, digest) != digest for name, digest in digests.items()):
        stale = [row for row in document["rows"] if row["status"] == "done"]
        say(f"the backbone's weights have changed: {len(stale)} finished rows are stale, run again")
        for row in stale:
            row["status"] = "waiting"
    document["features"] = before | digests


def read(folder: Path) -> Document:
    """A study's document; raises RunError for a folder that is none."""
    path = folder / "study.json"
    try:
        document: Document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise RunError(
            f"{folder}: is no study (study.json is missing). Make one: brainlens study DESIGN "
            f"INDEX -o {folder}"
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}). Run the study again") from None
    if document.get("kind") != "study":
        raise RunError(f"{path}: is no study's record. Run the study again")
    return document
