"""Owns enlarging a picture of any size in tiles of one size, without seams.

Tiles overlap. The outer quarter of an overlap is thrown away, since there a network sees the border
of its tile instead of the picture; across the inner half two tiles are blended linearly. Finished
rows leave as soon as they are whole, so that neither picture nor result is ever held as floats.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
OVERLAP = 16  # pixels of the small picture that two neighbours share


def spans(length: int, tile: int, overlap: int = OVERLAP) -> list[tuple[int, int]]:
    """Begin and end of tiles along a line: all of one length, at most `tile`, evenly spread."""
    if length <= tile:
        return [(0, length)]
    count = -(-(length - overlap) // (tile - overlap))
    size = -(-(length + (count - 1) * overlap) // count)
    starts = np.linspace(0, length - size, count).round().astype(int)
    return [(int(start), int(start) + size) for start in starts]


def ramps(parts: list[tuple[int, int]], scale: int) -> list[Array]:
    """The weight of every sample of every tile along one line; over all tiles they add up to 1."""
    weights = [np.ones((end - start) * scale, np.float32) for start, end in parts]
    for i, ((_, end), (start, _)) in enumerate(itertools.pairwise(parts)):
        shared = (end - start) * scale
        aside = shared // 4
        inner = shared - 2 * aside
        up = np.concatenate([np.zeros(aside), (np.arange(inner) + 0.5) / inner, np.ones(aside)])
        weights[i][-shared:] *= 1 - up.astype(np.float32)
        weights[i + 1][:shared] *= up.astype(np.float32)
    return weights


def enlarge_in_tiles(
    read: Callable[[int, int, int, int], Array],  # top, bottom, left, right to (h, w, C) float32
    enlarge: Callable[[Array], Array],
    finish: Callable[[Array], Array],  # floats to the samples of the file
    *,
    height: int,
    width: int,
    scale: int,
    tile: int,
    overlap: int = OVERLAP,
) -> Iterator[tuple[Array | None, int]]:
    """For every tile: the rows that it completed (else None), and how many tiles are done.

    A tile is read, enlarged, blended into its neighbours, and forgotten.
    """
    rows, columns = spans(height, tile, overlap), spans(width, tile, overlap)
    down, across = ramps(rows, scale), ramps(columns, scale)
    below: Array | None = None  # the floats that the next row of tiles will add to
    done = 0
    for r, (top, bottom) in enumerate(rows):
        kept = (rows[r + 1][0] if r + 1 < len(rows) else bottom) * scale - top * scale
        shared = (rows[r - 1][1] - top) * scale if r else 0
        band: Array | None = None
        carry: Array | None = None  # right edge of the tile before, weighted
        next_below: Array | None = None
        for c, (left, right) in enumerate(columns):
            piece = enlarge(read(top, bottom, left, right))  # (sh, sw, C)
            piece = piece * (down[r][:, None, None] * across[c][None, :, None])
            if carry is not None:
                piece[:, : carry.shape[1]] += carry
            end = columns[c + 1][0] if c + 1 < len(columns) else right
            whole, carry = piece[:, : (end - left) * scale], piece[:, (end - left) * scale :]
            where = slice(left * scale, end * scale)
            if below is not None:
                whole[:shared] += below[:, where]
            finished = finish(whole[:kept])
            if band is None:
                band = np.empty((kept, width * scale, finished.shape[2]), finished.dtype)
                left_over = whole.shape[0] - kept
                next_below = np.empty((left_over, width * scale, whole.shape[2]), np.float32)
            band[:, where] = finished
            assert next_below is not None
            next_below[:, where] = whole[kept:]
            done += 1
            yield (band if c + 1 == len(columns) else None), done
        below = next_below


def tile_count(height: int, width: int, tile: int) -> int:
    """How many tiles a picture takes."""
    return len(spans(height, tile)) * len(spans(width, tile))
