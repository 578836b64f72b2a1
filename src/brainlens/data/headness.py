"""Owns whether a picture looks like a head: one round bright thing on a dark ground, or a negative.

Enters: views (measures). Leaves: for N of them N numbers, `nan` where nothing is to be seen. All at
once: the tiles are small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from brainlens.data.measures import TILE, Floats, Mask, View, span
from brainlens.data.shrinking import Grey

Array = np.ndarray[Any, Any]


def inversion(seen: Sequence[View]) -> Floats:
    """(N,) how much brighter than the centre the background is, -1 to 1: second darkest corner."""
    tiles = _tiles(seen)
    ground = _ground(_stretched(_corners(tiles), seen))
    return np.where(span(seen) < 1, math.nan, ground - _middle(tiles, seen))


def headness(seen: Sequence[View]) -> Floats:
    """(N,) how much the picture is one round bright thing on a dark ground, about -5 to 2.

    The dark share of the outer ring (0-1), plus the agreement (Matthews) of the bright part with
    the ellipse of equal moments, less 5 times the brightness of the darker pair of neighbouring
    corners (a neck or a crop may fill the other pair), less 5 times what the ellipse lacks to be
    60 % filled (pages of text, line drawings), less 10 times what is coloured beyond a tenth (a
    photo on a dark ground; the most coloured of 3,929 slices of brain MRI has 0.07). A negative
    counts as its positive.
    """
    levels = _tiles(seen)
    tiles, corners = _stretched(levels, seen), _stretched(_corners(levels), seen)
    ground = _ground(corners)
    negative = (ground > 0.8) & (ground - _middle(levels, seen) > 0.1)
    if negative.any():
        tiles[negative] = 1 - tiles[negative]
        corners[negative] = _corners(tiles[negative])
    pair = np.maximum(corners, np.roll(corners, 1, axis=1)).min(1)
    agreement, filled = _ellipse(tiles > 0.15)
    dark = tiles < 0.2
    ring = TILE**2 - (TILE - 6) ** 2
    share = (dark.sum((1, 2)) - dark[:, 3:-3, 3:-3].sum((1, 2))) / ring
    lacking = np.maximum(0, 0.6 - filled)
    coloured = np.maximum(0, np.array([one.colour for one in seen]) - 0.1)
    found = share + agreement - 5 * pair.astype(np.float64) - 5 * lacking - 10 * coloured
    return np.where(span(seen) < 1, math.nan, found)


def _tiles(seen: Sequence[View]) -> Grey:
    """Tiles (N, 48, 48) as they are."""
    return np.array([one.tile for one in seen], np.uint8).reshape(-1, TILE, TILE)


def _stretched(levels: Grey, seen: Sequence[View]) -> Floats:
    """Grey levels (N, ...) of the views' tiles, 0 at the 1st percentile, 1 at the 99th."""
    one_each = (len(seen),) + (1,) * (levels.ndim - 1)
    low = np.array([one.low for one in seen], np.float32).reshape(one_each)
    room = np.array([max(one.span, 1.0) for one in seen], np.float32).reshape(one_each)
    return np.asarray(np.minimum(np.maximum((levels - low) / room, 0), 1))


def _corners(tiles: Array) -> Array:
    """(N, 4) medians of the four corners, clockwise."""
    q = TILE // 12
    parts = [tiles[:, :q, :q], tiles[:, :q, -q:], tiles[:, -q:, -q:], tiles[:, -q:, :q]]
    flat = np.stack(parts, 1).reshape(len(tiles), 4, q * q)
    return np.asarray(np.sort(flat, axis=2)[:, :, q * q // 2])


def _ground(corners: Floats) -> Floats:
    """(N,) the second darkest of corners (N, 4)."""
    return np.asarray(np.sort(corners, axis=1)[:, 1])


def _middle(tiles: Grey, seen: Sequence[View]) -> Floats:
    """(N,) the median of the inner half, stretched."""
    quarter = TILE // 4
    n = (TILE // 2) ** 2
    inner = tiles[:, quarter:-quarter, quarter:-quarter].reshape(len(tiles), n)
    pair = n // 2 - 1, n // 2  # an even number; `np.median` would load np.ma, for nothing
    levels = np.partition(inner, pair, axis=1)[:, pair]
    return np.asarray(_stretched(levels, seen).mean(1), np.float64)


def _ellipse(masks: Mask) -> tuple[Floats, Floats]:
    """(N,) Matthews correlation of a mask with the ellipse of its moments, and how full that is."""
    m = masks.astype(np.float32)  # whole numbers: sums are exact
    side = np.arange(TILE, dtype=np.float64)
    rows, columns = m.sum(2).astype(np.float64), m.sum(1).astype(np.float64)  # (N, 48)
    one, n = rows.sum(1), float(TILE**2)
    count = np.maximum(one, 1)
    down = side - (rows @ side / count)[:, None]  # (N, 48) from the middle
    across = side - (columns @ side / count)[:, None]
    # Variances, and a tenth of a pixel so that a line is an ellipse too.
    yy = (rows * down**2).sum(1) / count + 0.1
    xx = (columns * across**2).sum(1) / count + 0.1
    xy = (down * (m @ across[:, :, None])[:, :, 0]).sum(1) / count
    y, x = down[:, :, None], across[:, None]
    limit = 4 * (xx * yy - xy * xy)
    yy, xx, xy, limit = (value[:, None, None] for value in (yy, xx, xy, limit))
    # An ellipse filled evenly ends at two standard deviations.
    ellipse = xx * y**2 - 2 * xy * y * x + yy * x**2 <= limit
    both, other = (ellipse & masks).sum((1, 2)), ellipse.sum((1, 2))
    scale = np.sqrt(one * (n - one) * other * (n - other))
    agreement = (both * n - one * other) / np.maximum(scale, 1e-6)
    filled = both / np.maximum(other, 1)
    some = one >= 10
    return np.where(some & (scale > 0), agreement, 0), np.where(some, filled, 0)
