"""Owns the eight symmetries of the square: what flips and quarter turns do to pictures and codes.

A symmetry is a number 0 to 7: transposed first (4), then flipped top-bottom (2), then left-right
(1). It turns the second picture of a pair into the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

NAMES = (
    "same",
    "flipped left-right",
    "flipped top-bottom",
    "turned by 180",
    "transposed",
    "turned by 90 clockwise",
    "turned by 90 counterclockwise",
    "transposed and turned by 180",
)
COUNT = len(NAMES)
FLIPS = 4  # the first of them: no transposition


def turn(picture: Array, symmetry: int) -> Array:
    """The picture, (..., S, S), under one symmetry; a view."""
    if symmetry & 4:
        picture = picture.swapaxes(-1, -2)
    if symmetry & 2:
        picture = picture[..., ::-1, :]
    return picture[..., ::-1] if symmetry & 1 else picture


def inverse(symmetry: int) -> int:
    """The symmetry that undoes it: itself, but for the quarter turns."""
    return {5: 6, 6: 5}.get(symmetry, symmetry)


def turn_windows(windows: Array, symmetry: int) -> Array:
    """Windows (N, 4), left, right, top, bottom in 0..1, of the turned pictures."""
    if symmetry & 4:
        windows = windows[:, [2, 3, 0, 1]]
    if symmetry & 2:
        windows = np.column_stack([windows[:, :2], 1 - windows[:, 3], 1 - windows[:, 2]])
    if symmetry & 1:
        windows = np.column_stack([1 - windows[:, 1], 1 - windows[:, 0], windows[:, 2:]])
    return windows


def turn_maps(maps: Array, symmetry: int) -> Array:
    """Maps (N, 4), scale and shift across and down, between pictures that are both turned."""
    if symmetry & 4:
        maps = maps[:, [2, 3, 0, 1]]
    mirrored = 1 - maps[:, ::2] - maps[:, 1::2]  # the shift as told from the other edge
    shift = np.where([bool(symmetry & 1), bool(symmetry & 2)], mirrored, maps[:, 1::2])
    return np.stack([maps[:, ::2], shift], 2).reshape(-1, 4)


def inverse_maps(maps: Array) -> Array:
    """The maps (N, 4) back."""
    scale, shift = maps[:, ::2], maps[:, 1::2]
    return np.stack([1 / scale, -shift / scale], 2).reshape(-1, 4)


def turn_codes(codes: Array, symmetry: int, vertical: Array, horizontal: Array) -> Array:
    """Cosine codes (..., C) of the turned pictures; coefficient c has orders vertical[c] and
    horizontal[c], a set closed under their exchange."""
    if symmetry & 4:
        place = {pair: c for c, pair in enumerate(zip(vertical, horizontal, strict=True))}
        codes = codes[..., [place[h, v] for v, h in zip(vertical, horizontal, strict=True)]]
    odd = vertical * bool(symmetry & 2) + horizontal * bool(symmetry & 1)
    return np.asarray(codes * np.where(odd % 2, np.float32(-1), np.float32(1)))
