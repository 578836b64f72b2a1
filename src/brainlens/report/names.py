"""Owns how a page calls images: by their paths, or, where names may identify, by number of row.

Enters: the indices that a page speaks of. Leaves: functions from a path to what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from brainlens.data.index import Row


class Names(NamedTuple):
    """What the images of the audited index and of the other one are called."""

    own: Callable[[str], str] = str
    other: Callable[[str], str] = str
    shown: bool = True  # whether these are names of files


PATHS = Names()


def numbers(own: Sequence[Row], other: Sequence[Row]) -> Names:
    """Numbers of rows instead of names; row 1 is the first below the header of the index."""
    return Names(_numbered(own, "row"), _numbered(other, "other row"), shown=False)


def _numbered(rows: Sequence[Row], word: str) -> Callable[[str], str]:
    places = {row.path: number for number, row in enumerate(rows, start=1)}
    return lambda path: f"{word} {places[path]}" if path in places else f"{word} unknown"
