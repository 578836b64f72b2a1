"""Owns the nearest pictures of another set, by the audit's own matcher, however far they are.

Enters: descriptors. Leaves: for each picture the nearest of the other set with its correlation, and
how near the next ones of other groups are: a copy is far nearer to one picture than to the rest.
Candidates are the best codes (whole frame, head) under all eight symmetries, each then aligned and
correlated as a pair of the audit is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from brainlens.data import symmetry
from brainlens.data.candidates import Pairs
from brainlens.data.descriptor import HORIZONTAL, VERTICAL, Array, Descriptors, describe, frame_of
from brainlens.data.laying import measure

CANDIDATES = 5  # a picture, by each of the two codes
_BLOCK = 256  # pictures compared at once
_WHOLE = np.array([1, 0, 1, 0], np.float32)  # the map of a picture onto itself


@dataclass(frozen=True)
class Neighbours:
    """Of N pictures, the nearest in another set."""

    nearest: Array  # (N,) its number there
    symmetry: Array  # (N,) what turns it the same way
    r: Array  # (N,) correlation with it
    next_r: Array  # (N,) median correlation with the nearest of other groups

    @property
    def lead(self) -> Array:
        """(N,) by how much the nearest is nearer than the next: 0 alike, 1 a copy."""
        return np.asarray(1 - (1 - self.r) / np.maximum(1 - self.next_r, 1e-6))


def described(pictures: Array) -> Descriptors:
    """Descriptors of (N, H, W) uint8 pictures."""
    return describe([frame_of(picture) for picture in pictures])


def neighbours(one: Descriptors, other: Descriptors, group: Sequence[str]) -> Neighbours:
    """The nearest of `other`, whose pictures stand in these groups, to each of `one`."""
    parts = [_measured(one, other, pairs) for pairs in _candidates(one, other)]
    i, j, turn, r = (np.concatenate(column) for column in zip(*parts, strict=True))
    numbers = np.unique(np.asarray(group), return_inverse=True)[1]
    order = np.lexsort((-r, i))
    i, j, turn, r = i[order], j[order], turn[order], r[order]
    first = np.searchsorted(i, np.arange(len(one)))
    next_r = np.empty(len(one))
    for k, (at, end) in enumerate(zip(first, [*first[1:], len(i)], strict=True)):
        others = r[at:end][numbers[j[at:end]] != numbers[j[at]]]
        next_r[k] = np.median(others) if others.size else r[at]
    return Neighbours(j[first], turn[first], r[first], next_r)


def _candidates(one: Descriptors, other: Descriptors) -> Iterator[Pairs]:
    """For each picture the best by either code, each in its best symmetry, block by block."""
    turned = [symmetry.turn_codes(other.codes, g, VERTICAL, HORIZONTAL)
              for g in range(symmetry.COUNT)]  # fmt: skip
    many = min(CANDIDATES, len(other))
    for at in range(0, len(one), _BLOCK):
        codes = one.codes[at : at + _BLOCK]
        for part in (0, 1):
            cosines = np.stack([codes[:, part] @ codes_of[:, part].T for codes_of in turned])
            best = cosines.max(0)  # (B, M)
            j = np.argpartition(-best, many - 1, axis=1)[:, :many]
            i = np.repeat(np.arange(len(codes)), many)
            flat = j.ravel()
            turn = cosines[:, i, flat].argmax(0)
            maps = _maps(one, other, i + at, flat, turn, part)
            yield Pairs(i + at, flat, turn, maps, best[i, flat], np.zeros(len(i), bool))


def _maps(
    one: Descriptors, other: Descriptors, i: Array, j: Array, turn: Array, part: int
) -> Array:
    """(P, 4) where the alignment starts: frame on frame, or head on head."""
    if part == 0:
        return np.tile(_WHOLE, (len(i), 1))
    theirs = other.windows[j]
    for g in range(1, symmetry.COUNT):
        theirs[turn == g] = symmetry.turn_windows(theirs[turn == g], g)
    own = one.windows[i]
    columns = []
    for k in (0, 2):
        width = np.maximum(own[:, k + 1] - own[:, k], 1e-3)
        scale = (theirs[:, k + 1] - theirs[:, k]) / width
        columns += [scale, theirs[:, k] - scale * own[:, k]]
    return np.stack(columns, 1).astype(np.float32)


def _measured(
    one: Descriptors, other: Descriptors, pairs: Pairs
) -> tuple[Array, Array, Array, Array]:
    return pairs.i, pairs.j, pairs.symmetry, measure(one, other, pairs)
