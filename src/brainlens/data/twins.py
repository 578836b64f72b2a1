"""Owns the search for twins: one picture twice, flipped, turned, cropped, scaled or recoloured.

Enters: descriptors. Leaves: pairs, each with its correlation and the symmetry between the two.
Candidates come from codes (candidates) and are laid on each other (laying), block by block, blocks
side by side on all cores. A twin has r >= 0.98 at 128 x 128: no two of the distinct slices of
Cheng's data set reach it. Blank pictures have no twins here; their pixel digests tell.
Memory beyond the descriptors: a few tens of MB for each core, whatever N.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlens.core.allocator import keep_freed_memory
from brainlens.core.processors import cores
from brainlens.core.progress import track
from brainlens.data import symmetry
from brainlens.data.candidates import Pairs, blocks, candidates, codes_of
from brainlens.data.descriptor import (
    FORMAT,
    FRAME,
    MARK_HORIZONTAL,
    MARK_VERTICAL,
    Descriptors,
    even_tones,
    halved,
    marks_of,
)
from brainlens.data.grouping import Components
from brainlens.data.laying import CHUNK, TWIN, chunks, lay, turned_windows

Array = np.ndarray[Any, Any]

_SWITCH = 1e-4  # seconds until Python lets another thread go on
NEAR_CODE, SAME_MARKS = 0.95, 0.92  # cosine, and share of equal signs, of a compact twin


@dataclass(frozen=True, order=True)
class Twin:
    """Images i and j are one picture; `symmetry` turns j into i."""

    i: int
    j: int
    r: float  # correlation; cosine of the codes where j has no frame
    symmetry: int = 0

    @property
    def transform(self) -> str:
        """What was done to j, in words."""
        return symmetry.NAMES[self.symmetry]


def find_twins(one: Descriptors, other: Descriptors | None = None) -> list[Twin]:
    """All twins within `one` (i < j), or between `one` (i) and `other` (j), sorted.

    `one` must have frames. Where `other` is compact nothing can be measured: a twin then has codes
    alike (NEAR_CODE) and marks alike (SAME_MARKS), and its r is the cosine of the codes.
    """
    keep_freed_memory()  # every block takes and frees the same tens of MB
    second = one if other is None else other
    codes = codes_of(one), None if other is None else codes_of(other)

    def of_block(to: int) -> list[Twin]:
        found: list[Twin] = []
        for framed, headed in candidates(*codes, to):
            if second.compact:
                marked = [*_marked(one, second, framed), *_marked(one, second, headed)]
                found += {(twin.i, twin.j): twin for twin in marked}.values()
            else:
                for few, rs in lay(one, second, framed, headed):
                    found += [_twin(few, k, float(r)) for k, r in enumerate(rs)]
        return found

    places = blocks(len(second))
    return sorted(twin for found in _each(of_block, places[::-1]) for twin in found)


def _each(of_block: Callable[[int], list[Twin]], places: Sequence[int]) -> Iterator[list[Twin]]:
    """The twins of every block, blocks side by side, the longest search first.

    The many small products of one gain nothing from threads of their own. They take less than the
    5 ms after which Python usually lets another thread go on, so it is asked to do so sooner.
    """
    from threadpoolctl import threadpool_limits

    if min(cores(), len(places)) < 2:
        yield from track(map(of_block, places), "comparing", len(places))
        return
    usual = sys.getswitchinterval()
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(cores()) as pool:
        sys.setswitchinterval(_SWITCH)
        try:
            yield from track(pool.map(of_block, places), "comparing", len(places))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            sys.setswitchinterval(usual)


def thresholds() -> dict[str, float]:
    """What makes a twin, as certificates state it."""
    return {
        "twin correlation": TWIN,
        "at pixels a side": FRAME,
        "flips and quarter turns": symmetry.COUNT,
        "descriptor format": FORMAT,
    }


def twin_groups(n: int, twins: Iterable[Twin]) -> list[int]:
    """A group number for each of n images: the smallest index among its twins, transitively."""
    components = Components(n)
    for twin in twins:
        components.join(twin.i, twin.j)
    smallest: dict[int, int] = {}
    return [smallest.setdefault(components.find(item), item) for item in range(n)]


def _marked(one: Descriptors, second: Descriptors, pairs: Pairs) -> Iterator[Twin]:
    """Twins by their marks: the first's are taken where the compact second's head lies in it."""
    pairs = pairs[pairs.score >= NEAR_CODE]
    assert one.frames is not None
    assert second.marks is not None
    for few in chunks(pairs, 4 * CHUNK):
        scale, shift = few.maps[:, ::2], few.maps[:, 1::2]
        theirs = turned_windows(second.windows, few).reshape(-1, 2, 2)
        heads = (theirs - shift[:, :, None]) / scale[:, :, None]
        # The map is from whole frames, so a head may reach beyond what the first shows.
        images, own_row = np.unique(few.i, return_inverse=True)
        tones, _ = even_tones(halved(one.frames[images]))
        own = marks_of(tones[own_row], heads.reshape(-1, 4).astype(np.float32))
        signs = second.marks[few.j]
        for g in range(1, symmetry.COUNT):
            rows = few.symmetry == g
            signs[rows] = symmetry.turn_codes(signs[rows], g, MARK_VERTICAL, MARK_HORIZONTAL)
        agree = (own == signs).mean(1)
        for k in np.flatnonzero(agree >= SAME_MARKS):
            yield _twin(few, int(k), float(few.score[k]))


def _twin(pairs: Pairs, k: int, r: float) -> Twin:
    return Twin(int(pairs.i[k]), int(pairs.j[k]), round(r, 4), int(pairs.symmetry[k]))
