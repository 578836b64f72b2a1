"""Owns the cheap half of the search for twins: pairs of codes in, the few worth measuring out.

All pairs are compared under all eight symmetries as blocked matrix products. A pair that the head
code suspects is then corrected for a small move of the head's window, a linear problem of five
unknowns, which tells real crops from lookalikes. Memory: BLOCK x BLOCK cosines and what passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlens.data import symmetry
from brainlens.data.descriptor import HORIZONTAL, INNER, VERTICAL, Descriptors

Array = np.ndarray[Any, Any]

BLOCK = 1024  # images a side compared at once: 4 MB of cosines
FRAME_CODE = 0.972  # cosine of whole-frame codes that makes a candidate
HEAD_CODE = 0.62  # cosine of head codes that makes one,
MOVED_CODE = 0.9  # if the best small move of the window brings it here
RIDGE = 0.05  # keeps that move small where the code says little about it
LARGEST_MOVE = 0.25  # of the window
PART = 4096  # pairs moved at once
ROUNDING = 1e-4  # by which two ways to one cosine may differ


@dataclass(frozen=True)
class Pairs:
    """Candidates: images i and j, the symmetry of j, and the map from i's frame to turned j's."""

    i: Array  # (P,)
    j: Array  # (P,)
    symmetry: Array  # (P,)
    maps: Array  # (P, 4) float32, see registration
    score: Array  # (P,) cosine of the codes, after the move

    def __len__(self) -> int:
        return len(self.i)

    def __getitem__(self, rows: Any) -> Pairs:
        return Pairs(
            self.i[rows], self.j[rows], self.symmetry[rows], self.maps[rows], self.score[rows]
        )


def join_pairs(parts: Sequence[Pairs]) -> Pairs:
    """Pairs one after the other; at least one part."""
    names = ("i", "j", "symmetry", "maps", "score")
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def candidates(one: Descriptors, other: Descriptors | None = None) -> Iterator[tuple[Pairs, Pairs]]:
    """Block by block, the pairs suspected by the frame codes and those by the head codes.

    Within `one`, i < j; with `other`, i is of `one` and j of `other`. The slopes of `one` are used,
    so `other` may be compact.
    """
    second = one if other is None else other
    for to in range(0, len(second), BLOCK):
        b = second.take(slice(to, to + BLOCK))
        turned = [symmetry.turn_codes(b.codes, g, VERTICAL, HORIZONTAL) for g in _ALL]
        for at in range(0, len(one) if other is not None else min(to + 1, len(one)), BLOCK):
            a = one.take(slice(at, at + BLOCK))
            diagonal = other is None and at == to
            framed = _still(a, turned, 0, 0, _SAME, diagonal)
            i, j, g, _ = _search(a.codes[:, 1], [c[:, 1] for c in turned], HEAD_CODE, diagonal)
            score, maps = _moved(a, b, turned, i, j, g)
            headed = Pairs(i, j, g, maps, score)[score > MOVED_CODE]
            outward = _still(a, turned, 2, 0, _OUTWARD, diagonal)
            inward = _still(a, turned, 0, 2, _INWARD, diagonal)
            headed = join_pairs([headed, outward, inward])
            yield _best(framed, at, to), _best(headed, at, to)


_SAME = np.array([1, 0, 1, 0], np.float32)
# The first's inner part is all that the second shows; and the other way round.
_OUTWARD = np.array([1, -INNER, 1, -INNER], np.float32) / np.float32(1 - 2 * INNER)
_INWARD = np.array([1 - 2 * INNER, INNER, 1 - 2 * INNER, INNER], np.float32)
_ALL = range(symmetry.COUNT)
_ONES = np.ones((1, len(VERTICAL)), np.float32)
_SIGNS = np.concatenate(  # (CODE, FLIPS): what the flips do to a code
    [symmetry.turn_codes(_ONES, g, VERTICAL, HORIZONTAL) for g in range(symmetry.FLIPS)]
).T


def _still(
    a: Descriptors, turned: list[Array], own: int, other: int, line: Array, diagonal: bool
) -> Pairs:
    """Pairs whose codes of two given parts agree as they are, all with one map.

    A flip changes only signs, so no flip brings a pair above the product of absolute codes: one
    product sifts four symmetries.
    """
    codes = a.codes[:, own]
    found = []
    for first in (0, symmetry.FLIPS):  # as it is, transposed
        theirs = turned[first][:, other]
        i, j = _above(np.abs(codes) @ np.abs(theirs).T, FRAME_CODE - ROUNDING, diagonal)
        for at in range(0, len(i), PART):
            few_i, few_j = i[at : at + PART], j[at : at + PART]
            score = (codes[few_i] * theirs[few_j]) @ _SIGNS  # (P, FLIPS)
            k, flip = np.nonzero(score > FRAME_CODE)
            found.append((few_i[k], few_j[k], first + flip, score[k, flip]))
    i, j, g, score = _stacked(found)
    return Pairs(i, j, g, np.tile(line, (len(i), 1)), score)


def _above(cosines: Array, least: float, diagonal: bool) -> tuple[Array, Array]:
    """i and j of a table's cells above `least`; i < j on the diagonal."""
    i, j = np.divmod(np.flatnonzero(cosines.ravel() > least), cosines.shape[1])
    if diagonal:
        keep = i < j
        return i[keep], j[keep]
    return i, j


def _stacked(found: Sequence[tuple[Array, Array, Array, Array]]) -> tuple[Array, ...]:
    """Columns i, j, symmetry and cosine of parts, one after the other."""
    empty = np.zeros(0, np.int64)
    parts = [(empty, empty, empty, np.zeros(0, np.float32)), *found]
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _search(codes: Array, turned: list[Array], least: float, diagonal: bool) -> tuple[Array, ...]:
    """i, j, symmetry and cosine of the pairs above `least`; i < j on the diagonal."""
    found = []
    for g, others in enumerate(turned):
        cosines = codes @ others.T
        i, j = _above(cosines, least, diagonal)
        found.append((i, j, np.full(len(i), g), cosines[i, j]))
    return _stacked(found)


def _best(pairs: Pairs, at: int, to: int) -> Pairs:
    """One symmetry a pair, the one of the highest score, in the order of i and j.

    `at` and `to` are where the block begins.
    """
    order = np.lexsort((pairs.symmetry, -pairs.score, pairs.j, pairs.i))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(pairs.i[order]) != 0) | (np.diff(pairs.j[order]) != 0)
    best = pairs[order[first]]
    return Pairs(best.i + at, best.j + to, best.symmetry, best.maps, best.score)


def _moved(
    a: Descriptors, b: Descriptors, turned: list[Array], i: Array, j: Array, g: Array
) -> tuple[Array, Array]:
    """Cosines (P,) of head codes after the best small move of i's window, and maps (P, 4)."""
    score = np.zeros(len(i), np.float32)
    maps = np.zeros((len(i), 4), np.float32)
    assert a.slopes is not None
    for s in _ALL:
        rows = np.flatnonzero(g == s)
        windows = symmetry.turn_windows(b.windows, s)
        for start in range(0, len(rows), PART):
            part = rows[start : start + PART]
            code = turned[s][j[part], 1]
            basis = np.concatenate([a.codes[i[part], 1][:, None], a.slopes[i[part]]], 1)
            gram = basis @ basis.transpose(0, 2, 1)  # (P, 5, 5)
            gram[:, range(1, 5), range(1, 5)] += RIDGE
            weight = np.linalg.solve(gram, basis @ code[..., None])  # (P, 5, 1)
            fit = (weight.transpose(0, 2, 1) @ basis)[:, 0]
            norm = np.maximum(np.linalg.norm(fit, axis=1), 1e-6)
            score[part] = np.einsum("pc,pc->p", fit, code) / norm
            move = weight[:, 1:, 0] / np.maximum(weight[:, :1, 0], 1e-6)
            move = np.clip(move, -LARGEST_MOVE, LARGEST_MOVE)
            maps[part] = _window_map(a.windows[i[part]], windows[j[part]], move)
    return score, maps


def _window_map(own: Array, theirs: Array, move: Array) -> Array:
    """The map (P, 4) that lays the moved own window on the other's."""
    columns = []
    for k in (0, 2):  # across, down
        width = own[:, k + 1] - own[:, k]
        low = own[:, k] + (move[:, k] - 0.5 * move[:, k + 1]) * width
        scale = (theirs[:, k + 1] - theirs[:, k]) / (width * (1 + move[:, k + 1]))
        columns += [scale, theirs[:, k] - scale * low]
    return np.stack(columns, 1)
