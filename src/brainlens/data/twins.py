"""Owns the search for twins: one picture twice, flipped, turned, cropped, scaled or recoloured.

Enters: descriptors. Leaves: pairs, each with its correlation and the symmetry between the two.
Candidates come from codes (candidates); here each is laid on the other, ever finer, and given up as
soon as it falls behind. A twin has r >= 0.98 at 128 x 128: no two of the distinct slices of Cheng's
data set reach it. Blank pictures have no twins here; their pixel digests tell.
Memory beyond the descriptors: a few tens of MB, whatever N.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from brainlens.data import symmetry
from brainlens.data.candidates import Pairs, candidates, join_pairs
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
from brainlens.data.registration import align

Array = np.ndarray[Any, Any]

TWIN = 0.98  # correlation at 128 x 128 from which two pictures are one
CHUNK = 32  # pairs laid on each other at once
THUMB_R = 0.96  # least r of thumbs as they are, before frames are correlated as they are
RECOLOURED_R = 0.98  # the same, before frames are correlated up to a tone curve
START_R, ALIGNED_R = 0.85, 0.945  # least r of thumbs before and after a first alignment
HALFWAY_R, SMALL_R = 0.905, 0.958  # least r at 64 x 64 before and after the next
CLOSE_R = 0.96  # least r at 128 x 128 that deserves a second, finer alignment
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
    second = one if other is None else other
    if second.compact:
        found: list[Twin] = []
        for framed, headed in candidates(one, other):
            marked = [*_marked(one, second, framed), *_marked(one, second, headed)]
            found += {(twin.i, twin.j): twin for twin in marked}.values()
        return sorted(found)
    best: dict[tuple[int, int], Twin] = {}
    for twin in _both_ways(one, second, within=other is None):
        known = best.get((twin.i, twin.j))
        if known is None or known.r < twin.r:
            best[twin.i, twin.j] = twin
    return sorted(best.values())


def _both_ways(one: Descriptors, second: Descriptors, *, within: bool) -> Iterator[Twin]:
    """Twins with either picture laid on the other: a crop is found more surely from the whole."""
    for framed, headed in candidates(one, second):
        if within:
            framed, headed = (pairs[pairs.i != pairs.j] for pairs in (framed, headed))
        for twin in _block_twins(one, second, framed, headed):
            yield _seen_from_other(twin) if within and twin.i > twin.j else twin
    if not within:
        for framed, headed in candidates(second, one):
            for twin in _block_twins(second, one, framed, headed):
                yield _seen_from_other(twin)


def _seen_from_other(twin: Twin) -> Twin:
    """The same twins, told from the other side."""
    return Twin(twin.j, twin.i, twin.r, symmetry.inverse(twin.symmetry))


def _block_twins(one: Descriptors, second: Descriptors, framed: Pairs, headed: Pairs) -> list[Twin]:
    """The twins among the candidates of one block, each pair once."""
    near = _thumb_r(one, second, framed)
    found = list(_plain(one, second, framed[near >= THUMB_R]))
    known = {(twin.i, twin.j) for twin in found}
    headed = _unknown(headed, known)
    found += _measured(one, second, headed)
    # Aligned by their heads these have had their chance; left are recoloured frames.
    known.update(zip(headed.i.tolist(), headed.j.tolist(), strict=True))
    found += _measured(one, second, _unknown(framed[near >= RECOLOURED_R], known))
    return found


def measure(one: Descriptors, second: Descriptors, pairs: Pairs) -> Array:
    """r (P,) of pairs by the same alignment, none given up; as they are where that is higher."""
    found = [np.zeros(0)]
    for few in _chunks(pairs, CHUNK):
        laid = _lay(one, second, few)
        plain = _pick(one.frames, few.i), _turned(second.frames, few)
        a, b = _swapped(*plain, laid.swap)
        maps, _ = align(_unit(halved(a)), _unit(halved(b)), laid.maps, laid.heads, rounds=2)
        _, r = align(_unit(a), _unit(b), maps, laid.heads, rounds=0)
        found.append(np.maximum(r, _r(*plain)))
    return np.concatenate(found)


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
    for few in _chunks(pairs, 4 * CHUNK):
        scale, shift = few.maps[:, ::2], few.maps[:, 1::2]
        theirs = _turned_windows(second.windows, few).reshape(-1, 2, 2)
        heads = (theirs - shift[:, :, None]) / scale[:, :, None]
        # The map is from whole frames, so a head may reach beyond what the first shows.
        images, own_row = np.unique(few.i, return_inverse=True)
        tones, _ = even_tones(halved(_pick(one.frames, images)))
        own = marks_of(tones[own_row], heads.reshape(-1, 4).astype(np.float32))
        signs = _pick(second.marks, few.j)
        for g in range(1, symmetry.COUNT):
            rows = few.symmetry == g
            signs[rows] = symmetry.turn_codes(signs[rows], g, MARK_VERTICAL, MARK_HORIZONTAL)
        agree = (own == signs).mean(1)
        for k in np.flatnonzero(agree >= SAME_MARKS):
            yield _twin(few, int(k), float(few.score[k]))


def _twin(pairs: Pairs, k: int, r: float) -> Twin:
    return Twin(int(pairs.i[k]), int(pairs.j[k]), round(r, 4), int(pairs.symmetry[k]))


def _unknown(pairs: Pairs, known: set[tuple[int, int]]) -> Pairs:
    """The pairs not yet known to be twins."""
    keep = [(i, j) not in known for i, j in zip(pairs.i.tolist(), pairs.j.tolist(), strict=True)]
    return pairs[np.array(keep, bool)]


def _thumb_r(one: Descriptors, second: Descriptors, pairs: Pairs) -> Array:
    """Correlations (P,) of thumbs as they are, but for the symmetry."""
    parts = [
        _r(_pick(one.thumbs, part.i), _turned(second.thumbs, part))
        for part in _chunks(pairs, 4 * CHUNK)
    ]
    return np.concatenate([np.zeros(0), *parts])


def _plain(one: Descriptors, second: Descriptors, pairs: Pairs) -> Iterator[Twin]:
    """Twins whose whole frames correlate as they are, but for the symmetry."""
    for few in _chunks(pairs, CHUNK // 4):
        r = _r(_pick(one.frames, few.i), _turned(second.frames, few))
        for k in np.flatnonzero(r >= TWIN):
            yield _twin(few, int(k), float(r[k]))


def _measured(one: Descriptors, second: Descriptors, pairs: Pairs) -> Iterator[Twin]:
    """Twins among the pairs once they are aligned."""
    sifted = [_sifted(one, second, part) for part in _chunks(pairs, 4 * CHUNK)]
    if not sifted:
        return
    pairs = join_pairs([part for part, _ in sifted])
    laid = _Laid(*(np.concatenate(column) for column in zip(*(x for _, x in sifted), strict=True)))
    for at in range(0, len(pairs), CHUNK):
        few, how = pairs[at : at + CHUNK], laid.take(slice(at, at + CHUNK))
        a, b = _pick(one.frames, few.i), _turned(second.frames, few)
        a, b = _swapped(a, b, how.swap)
        small = _unit(halved(a)), _unit(halved(b))
        for rounds, least in ((0, HALFWAY_R), (1, SMALL_R)):
            maps, near = align(*small, how.maps, how.heads, rounds=rounds)
            keep = near >= least
            how = how._replace(maps=maps).take(keep)
            few, a, b, small = few[keep], a[keep], b[keep], (small[0][keep], small[1][keep])
        a, b = _unit(a), _unit(b)
        _, r = align(a, b, how.maps, how.heads, rounds=0)
        close = np.flatnonzero((r >= CLOSE_R) & (r < TWIN))
        if close.size:  # once more, a little better aligned
            maps, _ = align(small[0][close], small[1][close], *how.take(close)[1:], rounds=1)
            _, again = align(a[close], b[close], maps, how.heads[close], rounds=0)
            r[close] = np.maximum(r[close], again)
        for k in np.flatnonzero(r >= TWIN):
            yield _twin(few, int(k), float(r[k]))


class _Laid(NamedTuple):
    """How the pictures of pairs lie on each other; the coarser of each pair is the reference."""

    swap: Array  # (P,) whether that is the second
    maps: Array  # (P, 4) from the reference's frame to the other's
    heads: Array  # (P, 4) the reference's head

    def take(self, rows: Any) -> _Laid:
        return _Laid(*(column[rows] for column in self))


def _sifted(one: Descriptors, second: Descriptors, pairs: Pairs) -> tuple[Pairs, _Laid]:
    """The pairs whose thumbs agree, and how they lie on each other."""
    laid = _lay(one, second, pairs)
    a, b = _unit(_pick(one.thumbs, pairs.i)), _unit(_turned(second.thumbs, pairs))
    a, b = _swapped(a, b, laid.swap)
    for rounds, least in ((0, START_R), (1, ALIGNED_R)):
        maps, r = align(a, b, laid.maps, laid.heads, rounds=rounds)
        keep = r >= least
        laid = laid._replace(maps=maps).take(keep)
        pairs, a, b = pairs[keep], a[keep], b[keep]
    return pairs, laid


def _lay(one: Descriptors, second: Descriptors, pairs: Pairs) -> _Laid:
    """Start from the candidates' maps."""
    theirs = _turned_windows(second.windows, pairs)
    maps = pairs.maps
    swap = maps[:, 0] * maps[:, 2] < 1
    scale, shift = maps[:, ::2], maps[:, 1::2]
    inverse = np.stack([1 / scale, -shift / scale], 2).reshape(-1, 4)
    heads = np.where(swap[:, None], theirs, one.windows[pairs.i])
    # The window reaches 1.5 standard deviations; an even ellipse, like a head, ends at 2.
    widen = np.stack([heads[:, 1] - heads[:, 0], heads[:, 3] - heads[:, 2]], 1) / 6
    heads = heads + np.repeat(widen, 2, axis=1) * np.array([-1, 1, -1, 1], np.float32)
    return _Laid(swap, np.where(swap[:, None], inverse, maps).astype(np.float32), heads)


def _chunks(pairs: Pairs, size: int) -> Iterator[Pairs]:
    for at in range(0, len(pairs), size):
        yield pairs[at : at + size]


def _pick(pictures: Array | None, rows: Array) -> Array:
    assert pictures is not None
    return np.asarray(pictures[rows])


def _turned(pictures: Array | None, pairs: Pairs) -> Array:
    """The second pictures of pairs, (P, S, S), each under its symmetry."""
    turned = _pick(pictures, pairs.j)
    for g in range(1, symmetry.COUNT):
        rows = np.flatnonzero(pairs.symmetry == g)
        if rows.size:
            turned[rows] = symmetry.turn(turned[rows], g)
    return turned


def _turned_windows(windows: Array, pairs: Pairs) -> Array:
    """The second windows of pairs, (P, 4), each under its symmetry."""
    turned = windows[pairs.j]
    for g in range(1, symmetry.COUNT):
        rows = pairs.symmetry == g
        turned[rows] = symmetry.turn_windows(turned[rows], g)
    return np.asarray(turned)


def _swapped(a: Array, b: Array, swap: Array) -> tuple[Array, Array]:
    where = swap[:, None, None]
    return np.where(where, b, a), np.where(where, a, b)


def _unit(pictures: Array) -> Array:
    return pictures.astype(np.float32) / np.float32(255)


def _r(a: Array, b: Array) -> Array:
    """Pearson's r (P,) of (P, S, S) uint8 pictures."""
    flat = [x.reshape(len(x), a.shape[-1] ** 2).astype(np.float32) for x in (a, b)]
    x, y = (values - values.mean(1, keepdims=True) for values in flat)
    xx, yy, xy = (np.einsum("np,np->n", p, q) for p, q in ((x, x), (y, y), (x, y)))
    return np.asarray(xy / np.sqrt(np.maximum(xx * yy, 1e-6)))
