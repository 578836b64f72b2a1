"""Owns enlarging and shrinking by interpolation, as MATLAB's `imresize` does it.

Super-resolution is judged on pictures shrunk by exactly this filter (Keys' cubic, a = -0.5, widened
when shrinking, mirrored at the edges), so that published figures can be compared with ours.
Enters: `(H, W)` or `(H, W, C)` of any numbers. Leaves: float32 of the same rank, not clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]
Kernel = Literal["nearest", "bilinear", "bicubic"]


def _box(x: Array) -> Array:
    return ((x >= -0.5) & (x < 0.5)).astype(np.float64)


def _triangle(x: Array) -> Array:
    hat: Array = np.maximum(0.0, 1 - np.abs(x))
    return hat


def _cubic(x: Array) -> Array:
    """Keys 1981, equation 15."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    curve: Array = np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
    return curve


KERNELS: dict[Kernel, tuple[Callable[[Array], Array], float]] = {  # with the width it covers
    "nearest": (_box, 1.0),
    "bilinear": (_triangle, 2.0),
    "bicubic": (_cubic, 4.0),
}


def weights(length: int, out: int, kernel: Kernel) -> Array:
    """(out, length) float32 matrix that resamples a line of `length` to `out` samples."""
    shape, width = KERNELS[kernel]
    scale = out / length
    squeeze = min(scale, 1.0)  # shrinking widens the kernel: antialiasing
    width /= squeeze
    centre = (np.arange(out) + 0.5) / scale - 0.5
    first = np.floor(centre - width / 2).astype(int)
    taps = first[:, None] + np.arange(int(np.ceil(width)) + 2)  # (out, taps)
    values = shape((centre[:, None] - taps) * squeeze)
    values /= values.sum(1, keepdims=True)
    mirror = np.concatenate([np.arange(length), np.arange(length)[::-1]])
    matrix = np.zeros((out, length))
    np.add.at(matrix, (np.arange(out)[:, None], mirror[taps % (2 * length)]), values)
    return matrix.astype(np.float32)


def resize(picture: Array, height: int, width: int, kernel: Kernel = "bicubic") -> Array:
    """A picture at another size."""
    rows = weights(picture.shape[0], height, kernel)
    columns = weights(picture.shape[1], width, kernel)
    tall = np.tensordot(rows, picture.astype(np.float32), (1, 0))  # (height, W[, C])
    done = np.tensordot(tall, columns, (1, 1))  # (height[, C], width)
    return done if picture.ndim == 2 else np.ascontiguousarray(np.moveaxis(done, -1, 1))


def shrink(picture: Array, scale: int) -> Array:
    """A picture whose sides are multiples of `scale`, bicubically at 1/scale."""
    return resize(picture, picture.shape[0] // scale, picture.shape[1] // scale)
