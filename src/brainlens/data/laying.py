"""Owns laying pictures on each other: candidate pairs in, those that correlate as twins do out.

Each row of candidates is aligned on thumbs, then on ever finer pictures (registration), and given
up as soon as it falls behind. Where a pair has two rows, one found from either side, the one that
starts better is followed to the end, and the other only if that fails narrowly.
Memory: a few tens of MB, whatever the number of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from brainlens.data import symmetry
from brainlens.data.candidates import Pairs, join_pairs, seen_back
from brainlens.data.descriptor import Descriptors, halved
from brainlens.data.registration import align

Array = np.ndarray[Any, Any]

TWIN = 0.98  # correlation at 128 x 128 from which two pictures are one
CHUNK = 32  # pairs laid on each other at once
THUMB_R = 0.96  # least r of thumbs as they are, before frames are correlated as they are
RECOLOURED_R = 0.98  # the same, before frames are correlated up to a tone curve
START_R, ALIGNED_R = 0.85, 0.945  # least r of thumbs before and after a first alignment
HALFWAY_R, SMALL_R = 0.905, 0.958  # least r at 64 x 64 before and after the next
CLOSE_R = 0.96  # least r at 128 x 128 that deserves a second, finer alignment
OTHER_R = 0.955  # least r to which one row of a pair must come for its other row to be tried


class Found(NamedTuple):
    """Twins among candidates."""

    pairs: Pairs
    r: Array  # (P,)


def lay(one: Descriptors, second: Descriptors, framed: Pairs, headed: Pairs) -> list[Found]:
    """The twins among the candidates of one block, each pair once."""
    near = _thumb_r(one, second, framed)
    plain = _plain(one, second, framed[near >= THUMB_R])
    headed = headed[~_among(headed, plain.pairs)]
    moved = _measured(one, second, headed)
    # Aligned by their heads these have had their chance; left are recoloured frames.
    rest = framed[near >= RECOLOURED_R]
    rest = rest[~_among(rest, plain.pairs) & ~_among(rest, headed)]
    return [plain, moved, _measured(one, second, join_pairs([rest, seen_back(rest)]))]


def measure(one: Descriptors, second: Descriptors, pairs: Pairs) -> Array:
    """r (P,) of pairs by the same alignment, none given up; as they are where that is higher."""
    found = [np.zeros(0)]
    for few in chunks(pairs, CHUNK):
        laid = _lay(one, second, few)
        plain = _pick(one.frames, few.i), _turned(second.frames, few)
        a, b = _swapped(*plain, laid.swap)
        maps, _ = align(_unit(halved(a)), _unit(halved(b)), laid.maps, laid.heads, rounds=2)
        _, r = align(_unit(a), _unit(b), maps, laid.heads, rounds=0)
        found.append(np.maximum(r, _r(*plain)))
    return np.concatenate(found)


def chunks(pairs: Pairs, size: int) -> Iterator[Pairs]:
    """The pairs, so many at a time."""
    for at in range(0, len(pairs), size):
        yield pairs[at : at + size]


def turned_windows(windows: Array, pairs: Pairs) -> Array:
    """The second windows of pairs, (P, 4), each under its symmetry."""
    turned = windows[pairs.j]
    for g in range(1, symmetry.COUNT):
        rows = pairs.symmetry == g
        turned[rows] = symmetry.turn_windows(turned[rows], g)
    return np.asarray(turned)


def _key(pairs: Pairs) -> Array:
    """A number for each pair."""
    return np.asarray(pairs.i.astype(np.int64) << 32 | pairs.j)


def _among(pairs: Pairs, others: Pairs) -> Array:
    """(P,) whether a pair is one of the others."""
    return np.isin(_key(pairs), _key(others))


def _thumb_r(one: Descriptors, second: Descriptors, pairs: Pairs) -> Array:
    """Correlations (P,) of thumbs as they are, but for the symmetry."""
    parts = [
        _r(_pick(one.thumbs, part.i), _turned(second.thumbs, part))
        for part in chunks(pairs, 4 * CHUNK)
    ]
    return np.concatenate([np.zeros(0), *parts])


def _plain(one: Descriptors, second: Descriptors, pairs: Pairs) -> Found:
    """Twins whose whole frames correlate as they are, but for the symmetry."""
    parts = [
        _r(_pick(one.frames, few.i), _turned(second.frames, few))
        for few in chunks(pairs, CHUNK // 4)
    ]
    r = np.concatenate([np.zeros(0), *parts])
    return Found(pairs[r >= TWIN], r[r >= TWIN])


def _measured(one: Descriptors, second: Descriptors, pairs: Pairs) -> Found:
    """Twins among the pairs once they are aligned; of two rows of a pair the better one first."""
    parts = [_sifted(one, second, few) for few in chunks(pairs, 4 * CHUNK)]
    if not parts:
        return Found(pairs, np.zeros(0))
    pairs, laid = _joined(parts)
    sides = [_halfway(one, second, *few) for few in _rows(pairs, laid)]
    near = np.concatenate([np.zeros(0), *sides])
    keep = near >= HALFWAY_R
    pairs, laid, near = pairs[keep], laid.take(keep), near[keep]
    order = np.lexsort((-near, pairs.j, pairs.i))
    pairs, laid = pairs[order], laid.take(order)
    better = np.append(True, np.diff(_key(pairs)) != 0)[: len(pairs)]
    first = _finest(one, second, pairs[better], laid.take(better))
    narrow = pairs[better][(first >= OTHER_R) & (first < TWIN)]
    again = ~better & _among(pairs, narrow)
    other = _finest(one, second, pairs[again], laid.take(again))
    r = np.concatenate([first, other])
    pairs = join_pairs([pairs[better], pairs[again]])
    return Found(pairs[r >= TWIN], r[r >= TWIN])


def _finest(one: Descriptors, second: Descriptors, pairs: Pairs, laid: _Laid) -> Array:
    """r (P,) at 128 x 128, or that at which a row was given up."""
    return np.concatenate([np.zeros(0), *(_fine(one, second, *few) for few in _rows(pairs, laid))])


def _fine(one: Descriptors, second: Descriptors, pairs: Pairs, laid: _Laid) -> Array:
    """`_finest` of a few."""
    small = _small(one, second, pairs, laid)
    maps, near = align(*small, laid.maps, laid.heads, rounds=1)
    keep = near >= SMALL_R
    laid = laid._replace(maps=maps).take(keep)
    a, b = (_unit(x) for x in _frames(one, second, pairs[keep], laid))
    _, r = align(a, b, laid.maps, laid.heads, rounds=0)
    close = np.flatnonzero((r >= CLOSE_R) & (r < TWIN))
    if close.size:  # once more, a little better aligned
        few = laid.take(close)
        one_small, other_small = (x[keep][close] for x in small)
        maps, _ = align(one_small, other_small, few.maps, few.heads, rounds=1)
        _, again = align(a[close], b[close], maps, few.heads, rounds=0)
        r[close] = np.maximum(r[close], again)
    near = np.minimum(near, TWIN - 1e-6)  # not yet a twin at 64 x 64
    near[keep] = r
    return near


def _halfway(one: Descriptors, second: Descriptors, pairs: Pairs, laid: _Laid) -> Array:
    """r (P,) at 64 x 64, as thumbs were aligned."""
    return align(*_small(one, second, pairs, laid), laid.maps, laid.heads, rounds=0)[1]


def _frames(
    one: Descriptors, second: Descriptors, pairs: Pairs, laid: _Laid
) -> tuple[Array, Array]:
    """The frames of pairs, reference first."""
    return _swapped(_pick(one.frames, pairs.i), _turned(second.frames, pairs), laid.swap)


def _small(one: Descriptors, second: Descriptors, pairs: Pairs, laid: _Laid) -> tuple[Array, Array]:
    """The frames of pairs at 64 x 64 in 0..1, reference first."""
    a, b = halved(_pick(one.frames, pairs.i)), halved(_pick(second.frames, pairs.j))
    a, b = _swapped(a, _turn(b, pairs), laid.swap)
    return _unit(a), _unit(b)


class _Laid(NamedTuple):
    """How the pictures of pairs lie on each other; the coarser of each pair is the reference."""

    swap: Array  # (P,) whether that is the second
    maps: Array  # (P, 4) from the reference's frame to the other's
    heads: Array  # (P, 4) the reference's head

    def take(self, rows: Any) -> _Laid:
        return _Laid(*(column[rows] for column in self))


def _joined(parts: list[tuple[Pairs, _Laid]]) -> tuple[Pairs, _Laid]:
    """Parts one after the other."""
    columns = zip(*(laid for _, laid in parts), strict=True)
    return join_pairs([part for part, _ in parts]), _Laid(*map(np.concatenate, columns))


def _rows(pairs: Pairs, laid: _Laid) -> Iterator[tuple[Pairs, _Laid]]:
    """Pairs and how they lie, so many at a time."""
    for at in range(0, len(pairs), CHUNK):
        few = slice(at, at + CHUNK)
        yield pairs[few], laid.take(few)


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
    theirs = turned_windows(second.windows, pairs)
    maps = pairs.maps
    stretch = maps[:, 0] * maps[:, 2]
    swap = np.where(stretch == 1, pairs.back, stretch < 1)
    heads = np.where(swap[:, None], theirs, one.windows[pairs.i])
    # The window reaches 1.5 standard deviations; an even ellipse, like a head, ends at 2.
    widen = np.stack([heads[:, 1] - heads[:, 0], heads[:, 3] - heads[:, 2]], 1) / 6
    heads = heads + np.repeat(widen, 2, axis=1) * np.array([-1, 1, -1, 1], np.float32)
    inverse = symmetry.inverse_maps(maps)
    return _Laid(swap, np.where(swap[:, None], inverse, maps).astype(np.float32), heads)


def _pick(pictures: Array | None, rows: Array) -> Array:
    assert pictures is not None
    return np.asarray(pictures[rows])


def _turned(pictures: Array | None, pairs: Pairs) -> Array:
    """The second pictures of pairs, (P, S, S), each under its symmetry."""
    return _turn(_pick(pictures, pairs.j), pairs)


def _turn(pictures: Array, pairs: Pairs) -> Array:
    """Pictures (P, S, S), each under the symmetry of its pair; in place."""
    for g in range(1, symmetry.COUNT):
        rows = np.flatnonzero(pairs.symmetry == g)
        if rows.size:
            pictures[rows] = symmetry.turn(pictures[rows], g)
    return pictures


def _swapped(a: Array, b: Array, swap: Array) -> tuple[Array, Array]:
    """Both with some pictures exchanged; in place."""
    rows = np.flatnonzero(swap)
    a[rows], b[rows] = b[rows], a[rows]
    return a, b


def _unit(pictures: Array) -> Array:
    return pictures.astype(np.float32) / np.float32(255)


def _r(a: Array, b: Array) -> Array:
    """Pearson's r (P,) of (P, S, S) uint8 pictures."""
    flat = [x.reshape(len(x), a.shape[-1] ** 2).astype(np.float32) for x in (a, b)]
    x, y = (values - values.mean(1, keepdims=True) for values in flat)
    xx, yy, xy = (np.einsum("np,np->n", p, q) for p, q in ((x, x), (y, y), (x, y)))
    return np.asarray(xy / np.sqrt(np.maximum(xx * yy, 1e-6)))
