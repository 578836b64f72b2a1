"""Owns the cheap half of the search for twins: pairs of codes in, the few worth measuring out.

All pairs are compared under all eight symmetries as blocked matrix products, each pair once: a
cosine is the same from either side. A pair that the head codes suspect is then corrected for a
small move of a head's window, a linear problem of five unknowns, which tells real crops from
lookalikes. That move depends on whose window moves, so each of the two is tried and makes a row of
its own: a crop is found more surely from the whole. Memory: BLOCK x BLOCK cosines and what passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np

from brainlens.data import symmetry
from brainlens.data.descriptor import HORIZONTAL, INNER, VERTICAL, Descriptors

Array = np.ndarray[Any, Any]

BLOCK = 1024  # images a side compared at once: 4 MB of cosines
FRAME_CODE = 0.972  # cosine of whole-frame codes that makes a candidate
HEAD_CODE = 0.62  # cosine of head codes that makes one,
MOVED_CODE = 0.9  # if the best small move of a window brings it here
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
    back: Array  # (P,) whether the map was found from j's side: a pair may have a row for either

    def __len__(self) -> int:
        return len(self.i)

    def __getitem__(self, rows: Any) -> Pairs:
        return Pairs(*(getattr(self, field.name)[rows] for field in fields(self)))


def join_pairs(parts: Sequence[Pairs]) -> Pairs:
    """Pairs one after the other; at least one part."""
    names = [field.name for field in fields(Pairs)]
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


class Codes(NamedTuple):
    """What of N images candidates are sought by."""

    codes: Array  # (N, 3, CODE), as Descriptors have them
    windows: Array  # (N, 4)
    basis: Array | None = None  # (N, 5, CODE) the head code and its slopes; None: compact
    gram: Array | None = None  # (N, 5, 5) of the basis
    inverse: Array | None = None  # (N, 5, 5) of the gram and its ridge

    def take(self, rows: slice) -> Codes:
        codes, windows, *rest = self
        levers = [None if column is None else column[rows] for column in rest]
        return Codes(codes[rows], windows[rows], *levers)


def codes_of(images: Descriptors) -> Codes:
    """What of these images candidates are sought by."""
    if images.slopes is None:
        return Codes(images.codes, images.windows)
    basis = np.concatenate([images.codes[:, 1:2], images.slopes], 1)
    gram = basis @ basis.transpose(0, 2, 1)
    ridge = np.diag([0, RIDGE, RIDGE, RIDGE, RIDGE])
    # A blank picture has an empty code; the pseudoinverse leaves it 0.
    inverse = np.linalg.pinv(gram + ridge, hermitian=True)
    return Codes(images.codes, images.windows, basis, gram, inverse.astype(np.float32))


def blocks(n: int) -> range:
    """Where the blocks of n images begin."""
    return range(0, n, BLOCK)


def candidates(one: Codes, other: Codes | None, to: int) -> Iterator[tuple[Pairs, Pairs]]:
    """Block by block, the pairs suspected by the frame codes and those by the head codes.

    Of the second images only the block that begins at `to` is searched. Within `one`, i < j; with
    `other`, i is of `one` and j of `other`, which may be compact: then only windows of `one` move.
    """
    b = (one if other is None else other).take(slice(to, to + BLOCK))
    turned = [symmetry.turn_codes(b.codes, g, VERTICAL, HORIZONTAL) for g in _ALL]
    for at in range(0, len(one.codes) if other is not None else to + 1, BLOCK):
        a = one.take(slice(at, at + BLOCK))
        diagonal = other is None and at == to
        framed = _still(a, turned, 0, 0, _SAME, diagonal)
        outward = _still(a, turned, 2, 0, _OUTWARD, diagonal)
        inward = _still(a, turned, 0, 2, _INWARD, diagonal)
        still = join_pairs([outward, inward])
        sides = [still] if b.basis is None else [still, seen_back(still)]
        found = _search(a.codes[:, 1], [c[:, 1] for c in turned], HEAD_CODE, diagonal)
        headed = join_pairs([*_moved(a, b, *found), *sides])
        yield _best(framed, at, to), _best(headed, at, to)


def seen_back(pairs: Pairs) -> Pairs:
    """The same rows as if found from j's side."""
    return replace(pairs, back=np.ones(len(pairs), bool))


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
    a: Codes, turned: list[Array], own: int, other: int, line: Array, diagonal: bool
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
    return Pairs(i, j, g, np.tile(line, (len(i), 1)), score, np.zeros(len(i), bool))


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
    """i, j and symmetry of the pairs above `least`; i < j on the diagonal."""
    found = []
    for g, others in enumerate(turned):
        cosines = codes @ others.T
        i, j = _above(cosines, least, diagonal)
        found.append((i, j, np.full(len(i), g), cosines[i, j]))
    return _stacked(found)[:3]


def _best(pairs: Pairs, at: int, to: int) -> Pairs:
    """One symmetry for a pair and a side, that of the highest score, in the order of i and j.

    `at` and `to` are where the block begins.
    """
    order = np.lexsort((pairs.symmetry, -pairs.score, pairs.back, pairs.j, pairs.i))
    first = np.ones(len(order), bool)
    first[1:] = np.any([np.diff(x[order]) != 0 for x in (pairs.i, pairs.j, pairs.back)], axis=0)
    best = pairs[order[first]]
    again = best.back[1:] & (best.maps[1:] == best.maps[:-1]).all(1) & (np.diff(best.symmetry) == 0)
    again &= (np.diff(best.i) == 0) & (np.diff(best.j) == 0)
    best = best[np.append(True, ~again)[: len(best)]]  # one map found from both sides is one row
    return Pairs(best.i + at, best.j + to, best.symmetry, best.maps, best.score, best.back)


def _moved(a: Codes, b: Codes, i: Array, j: Array, g: Array) -> list[Pairs]:
    """Those pairs whose head codes agree after the best small move of i's window, then of j's."""
    parts = []
    for back in (False, True) if b.basis is not None else (False,):
        for s in _ALL:
            rows = np.flatnonzero(g == s)
            for start in range(0, len(rows), PART):
                part = rows[start : start + PART]
                parts.append(_moved_alike(a, b, i[part], j[part], s, back=back))
    return parts


def _moved_alike(a: Codes, b: Codes, i: Array, j: Array, turn: int, *, back: bool) -> Pairs:
    """`_moved` of pairs of one symmetry, seen from one side."""
    if back:
        score, maps = _move(b, j, a, i, symmetry.inverse(turn))
        maps = symmetry.turn_maps(maps, turn)
        maps = symmetry.inverse_maps(maps)
    else:
        score, maps = _move(a, i, b, j, turn)
    few = Pairs(i, j, np.full(len(i), turn), maps, score, np.full(len(i), back))
    return few[score > MOVED_CODE]


def _move(a: Codes, i: Array, b: Codes, j: Array, turn: int) -> tuple[Array, Array]:
    """Cosines (P,) of head codes after the best small move of i's window, and maps (P, 4)."""
    assert a.basis is not None
    assert a.gram is not None
    assert a.inverse is not None
    code = symmetry.turn_codes(b.codes[j, 1], turn, VERTICAL, HORIZONTAL)
    along = (a.basis[i] @ code[..., None])[..., 0]  # (P, 5)
    weight = (a.inverse[i] @ along[..., None])[..., 0]  # (P, 5), of the basis
    norm = np.einsum("pk,pkl,pl->p", weight, a.gram[i], weight)  # of what they make of it, squared
    score = np.einsum("pk,pk->p", weight, along) / np.sqrt(np.maximum(norm, 1e-12))
    move = weight[:, 1:] / np.maximum(weight[:, :1], 1e-6)
    move = np.clip(move, -LARGEST_MOVE, LARGEST_MOVE)
    windows = symmetry.turn_windows(b.windows[j], turn)
    return score, _window_map(a.windows[i], windows, move)


def _window_map(own: Array, theirs: Array, move: Array) -> Array:
    """The map (P, 4) that lays the moved own window on the other's."""
    columns = []
    for k in (0, 2):  # across, down
        width = own[:, k + 1] - own[:, k]
        low = own[:, k] + (move[:, k] - 0.5 * move[:, k + 1]) * width
        scale = (theirs[:, k + 1] - theirs[:, k]) / (width * (1 + move[:, k + 1]))
        columns += [scale, theirs[:, k] - scale * low]
    return np.stack(columns, 1)
