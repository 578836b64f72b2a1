"""Owns shrinking a picture for the audit: to at most SIDE pixels a side, and by whole steps."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.uint8]
Integers = NDArray[np.integer]

SIDE = 256  # pixels of the longer side at most: what a classifier sees, and fast


def shrunk(grey: Grey) -> Grey:
    """The picture with at most SIDE pixels a side; never enlarged.

    Whole steps by area, what is left (below 2) by linear interpolation: a tenth of the time of one
    resize by area, and for such factors nearly the same.
    """
    longest = max(grey.shape)
    if longest >= 2 * SIDE:
        grey = reduced(grey, (longest // SIDE, longest // SIDE))
    if max(grey.shape) <= SIDE:
        return grey
    height, width = (max(1, round(side * SIDE / max(grey.shape))) for side in grey.shape)
    return _across(_across(grey, height), width)


def reduced(grey: Grey, times: tuple[int, int]) -> Grey:
    """Means of so many whole pixels across and down; the last may be of fewer."""
    if times == (1, 1):
        return grey
    if times == (2, 2) and not any(side % 2 for side in grey.shape):
        import cv2

        half = grey.shape[1] // 2, grey.shape[0] // 2  # the same, sooner
        return np.asarray(cv2.resize(grey, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(Image.fromarray(grey).reduce(times))


def _across(grey: Grey, n: int) -> Grey:
    """`n` rows for those of the picture, linearly, pixel centres kept; transposed."""
    import cv2

    first, second, near, far = _weights(grey.shape[0], n)
    mixed, other = (
        cv2.transpose(grey.take(rows, axis=0)).astype(np.uint16) for rows in (first, second)
    )
    mixed *= near
    other *= far
    mixed += other
    mixed >>= 8
    return np.asarray(mixed, np.uint8)


@functools.lru_cache(64)
def _weights(rows: int, n: int) -> tuple[Integers, Integers, Integers, Integers]:
    """For each of `n` rows the two it lies between, and their weights in 256ths."""
    place = np.clip((np.arange(n) + 0.5) * rows / n - 0.5, 0, rows - 1)
    first = place.astype(np.intp)
    far = np.rint((place - first) * 256).astype(np.uint16)
    return first, np.minimum(first + 1, rows - 1), 256 - far, far
