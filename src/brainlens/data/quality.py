"""Owns the quality flags: which picture of an index is fit to learn from, and by what measure.

Enters: one grey picture and what the index knows of its file. Leaves: flags such as
`blurred=0.104`, kept in the column `flags` of `index.csv`, separated by `;`. The table `CHECKS` is
the whole policy. Its thresholds are fitted to the four sets of brain MRI and to photos, paintings
and planted faults; `benchmarks/audit_quality.py` measures what they find and what they accuse.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from brainlens.data import headness, measures
from brainlens.data.glyphs import glyphs
from brainlens.data.index import Row
from brainlens.data.measures import Floats, View, view
from brainlens.data.shrinking import Grey


@dataclass(frozen=True)
class Check:
    """One question to a picture: flagged where the measure is beyond the threshold."""

    measure: Callable[[Sequence[View]], Floats]
    side: Literal["<", ">="]
    threshold: float
    drop: bool  # unfit for training; the others are told, since a network may learn from them
    why: str


# What brain MRI shows is the range over the 3,929 slices of sartaj, figshare, navoneel and br35h.
CHECKS: dict[str, Check] = {
    "blank": Check(
        measures.span, "<", 20, True,
        "grey levels between percentiles 1 and 99; brain MRI shows 77-255",
    ),
    "dark": Check(
        measures.brightness, "<", 40, True,
        "99th percentile; brain MRI shows 77-255, and below 40 few grey levels are left",
    ),
    "blurred": Check(
        measures.sharpness, "<", 0.15, True,
        "Laplacian over gradient at 256 px: half of brain MRI above 0.31, blurred by 1 % near 0.08",
    ),
    "tiny": Check(
        measures.shorter_side, "<", 128, True,
        "pixels of the shorter side; brain MRI shows 150-1,275, networks see 128 or more",
    ),
    "odd-size": Check(
        measures.aspect, ">=", 1.9, True,
        "longer over shorter side; brain MRI shows 1.00-1.79, two slices side by side 2",
    ),
    "text": Check(
        glyphs, ">=", 1, False,
        "letters or marks outside the head: a network may read them",
    ),
    "border": Check(
        measures.framed_sides, ">=", 1, False,
        "sides with a uniform bright line: it tells the source of the picture, not the illness",
    ),
    "inverted": Check(
        headness.inversion, ">=", 0.1, False,
        "background less centre in shares of the range; brain MRI shows -0.95 to -0.01",
    ),
    "not-a-slice": Check(
        headness.headness, "<", 0.5, True,
        "dark ring, dark corners, one filled ellipse, no colour; half of brain MRI is above 1.72",
    ),
}  # fmt: skip

_BEYOND = {"<": operator.lt, ">=": operator.ge}  # both are false for nan: does not apply


def measure(
    grey: Grey, *, width: int = 0, height: int = 0, colour: float = 0.0,
    names: Iterable[str] = tuple(CHECKS),
) -> dict[str, float]:  # fmt: skip
    """Every measure of one picture, by flag; `width`, `height`, `colour` are those of its file."""
    seen = view(grey, width=width, height=height, colour=colour)
    return {name: float(CHECKS[name].measure([seen])[0]) for name in names}


def flagged(measured: Mapping[str, float]) -> dict[str, float]:
    """Those of the measures that are beyond their thresholds."""
    return {
        name: value
        for name, value in measured.items()
        if _BEYOND[CHECKS[name].side](value, CHECKS[name].threshold)
    }


def flag_row(row: Row, measured: Mapping[str, float]) -> Row:
    """The row with the flags of its picture; notes that are not of this table stay as they are."""
    kept = [note for note in row.flags.split(";") if note and name_of(note) not in CHECKS]
    new = [f"{name}={value:.3g}" for name, value in flagged(measured).items()]
    return dataclasses.replace(row, flags=";".join(kept + new))


def flag_rows(rows: Sequence[Row], measured: Iterable[Mapping[str, float]]) -> list[Row]:
    """Rows with the flags of their pictures, one set of measures a row."""
    return [flag_row(row, values) for row, values in zip(rows, measured, strict=True)]


def name_of(note: str) -> str:
    """The flag's name in a note such as `blurred=0.104`."""
    return note.partition("=")[0]


def unfit(row: Row) -> list[str]:
    """The flags for which a cleaned index leaves the row out."""
    names = [name_of(note) for note in row.flags.split(";")]
    return [name for name in names if name in CHECKS and CHECKS[name].drop]
