"""Owns what an index looks like by numbers: planes, and how widths and heights are distributed.

Enters: rows. Leaves: counts by class, as JSON has them; what a reader sees before any model does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from brainlens.data.index import Row
from brainlens.data.quality import name_of

BINS = 24  # of a histogram, at most
PLANE = "plane"  # the note in `flags`, from a manifest

Document = dict[str, Any]


def census(rows: Sequence[Row]) -> Document:
    """Histograms of width and height, and counts of planes where known, each by class."""
    return {
        "width": histogram([(row.label, row.width) for row in rows]),
        "height": histogram([(row.label, row.height) for row in rows]),
        "planes": planes(rows),
    }


def histogram(values: Sequence[tuple[str, int]]) -> Document:
    """Counts by class between shared edges, which are round numbers: `[low, high)` each."""
    numbers = [value for _, value in values]
    step = _round_step((max(numbers) - min(numbers)) / (BINS - 2))
    first = min(numbers) // step * step
    edges = list(range(first, max(numbers) + step + 1, step))
    classes = {
        label: np.histogram([v for own, v in values if own == label], edges)[0].tolist()
        for label in sorted({label for label, _ in values})
    }
    return {"edges": edges, "classes": classes}


def _round_step(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 ... that is not below `least`."""
    scale = 10 ** max(0, math.floor(math.log10(max(least, 1))))
    return next(int(scale * n) for n in (1, 2, 5, 10) if scale * n >= least)


def planes(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """By plane, commonest first: images of each class; nothing where no plane is known."""
    known = Counter((plane_of(row), row.label) for row in rows)
    names = Counter(plane_of(row) for row in rows)
    if set(names) == {""}:
        return {}
    labels = sorted({row.label for row in rows})
    return {
        name or "unknown": {label: known[name, label] for label in labels}
        for name, _ in sorted(names.items(), key=lambda item: (not item[0], -item[1], item[0]))
    }


def plane_of(row: Row) -> str:
    """The plane a manifest gave the row, `""` where none is known."""
    notes = (note for note in row.flags.split(";") if name_of(note) == PLANE)
    return next((note.partition("=")[2] for note in notes), "")
