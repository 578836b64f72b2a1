"""Owns where a result came from: data, split, seeds, versions and machine as rows of a table.

Enters: the provenance and the evaluation as read. Leaves: names and words; what is unknown is left
out, so that an older or a partial record still reads.
"""

from __future__ import annotations

from typing import Any

from brainlens.core.progress import duration
from brainlens.report.artefacts import Evaluation, pick

Facts = list[tuple[str, str]]  # shown as a two-column table

NONE = "\N{EN DASH}"
STOPPED = {
    "epochs": "after all its epochs",
    "early": "early: the monitored value no longer improved",
    "interrupted": "by hand, before it was done",
}


def protocol(split: Any) -> Facts:
    """How the images were divided."""
    if not isinstance(split, dict):
        return []
    names: dict[str, str] = {"protocol": "protocol", "seed": "split seed", "test": "test share",
             "val": "validation share", "note": "note"}  # fmt: skip
    return [(names.get(key, str(key)), plain(value)) for key, value in split.items()]


def facts(provenance: Any, read: Evaluation | None = None) -> Facts:
    """Where a result came from: only what is known is listed."""
    images = pick(provenance, "index", "images")
    machine, versions = pick(provenance, "machine"), pick(provenance, "versions")
    parameters = pick(provenance, "parameters")
    seconds = pick(provenance, "seconds")
    stopped = pick(provenance, "stopped")
    rows = {
        "run": pick(read.document, "run") if read else None,
        "index": pick(provenance, "index", "path"),
        "index digest": digest(pick(provenance, "index")),
        "training index digest": digest(pick(provenance, "train_index")),
        "images": _pairs(images),
        "labels": pick(provenance, "index", "labels"),
        "seed": pick(provenance, "seed"),
        "interval seed": pick(read.document, "interval", "seed") if read else None,
        "parameters": _pairs(parameters),
        "stopped": STOPPED.get(str(stopped), stopped),
        "machine": _pairs(machine),
        "started": pick(provenance, "started"),
        "finished": pick(provenance, "finished"),
        "took": duration(seconds) if isinstance(seconds, int | float) else None,
        "brainlens": pick(provenance, "brainlens"),
        "versions": _pairs(versions),
    }
    return [(name, plain(value)) for name, value in rows.items() if value not in (None, "")]


def digest(index: Any) -> Any:
    """An index's digest, from the index's description or from the digest alone."""
    return pick(index, "digest") if isinstance(index, dict) else index


def _pairs(value: Any) -> str:
    if not isinstance(value, dict):
        return "" if value is None else str(value)
    return ", ".join(f"{key} {plain(item)}" for key, item in value.items())


def plain(value: Any) -> str:
    """A value as a reader writes it."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    return _pairs(value) if isinstance(value, dict) else str(value)
