"""Owns what can be measured of one picture without knowing any other: frame, contrast, sharpness.

Enters: a grey picture, uint8 `H x W`. Leaves: a `View` of it (a copy of at most 256 pixels a side,
its frame cut off); of N views, N numbers for each question; `nan` where a question makes no sense,
such as the sharpness of a constant picture. What number is too much stands in `quality.py`.

What needs every pixel is done picture by picture in few steps, the rest for all of them at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from brainlens.data.shrinking import Grey, shrunk

Mask = NDArray[np.bool_]
Floats = NDArray[np.floating]
Integers = NDArray[np.int64]

TILE = 48  # pixels a side: the head's shape needs no more
_STEP = 40.0  # grey levels between a frame and what lies inside it
_UNIFORM = 25.0  # standard deviation along a line of the frame, grey levels
_APART = 24  # grey levels between the channels of a coloured pixel
_SEEK = 0.1  # a frame begins in the outer tenth of the picture
_LEVELS = np.arange(256.0)


@dataclass(frozen=True)
class View:
    """A picture as the measures see it."""

    width: int  # of the file
    height: int
    frame: tuple[int, int, int, int]  # depth at top, bottom, left, right, pixels of the copy
    margin: float  # the deepest of these as a share of its side
    grey: Grey  # at most SIDE a side, frame cut off
    counts: Integers  # (256,) pixels of `grey` by level
    low: float  # 1st percentile of `grey`
    high: float  # 99th percentile
    tile: Grey  # (48, 48) of `grey`, whatever its shape
    colour: float  # share of the picture that is clearly coloured, 0-1

    @property
    def span(self) -> float:
        """Grey levels between the 1st and the 99th percentile."""
        return self.high - self.low

    @property
    def mean(self) -> float:
        """Mean grey level."""
        return float(self.counts @ _LEVELS / self.counts.sum())

    @property
    def std(self) -> float:
        """Standard deviation of the grey levels."""
        return math.sqrt(self.counts @ (_LEVELS - self.mean) ** 2 / self.counts.sum())


def view(grey: Grey, *, width: int = 0, height: int = 0, colour: float = 0.0) -> View:
    """Look at a grey picture; `width` and `height` are those of its file where they differ.

    `colour` is what grey no longer tells: the file's `colourfulness`.
    """
    import cv2

    rows, columns = grey.shape
    small = shrunk(grey)
    cuts = _frame(small)
    top, bottom, left, right = (depth + 1 if depth else 0 for depth in cuts)
    inner = small[top : small.shape[0] - bottom, left : small.shape[1] - right]
    inner = np.ascontiguousarray(small if min(inner.shape) < 16 else inner)
    counts = cv2.calcHist([inner], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    shares = np.cumsum(counts) / inner.size
    low, high = (float(level) for level in np.searchsorted(shares, (0.01, 0.99)))
    tile = np.asarray(Image.fromarray(inner).resize((TILE, TILE), Image.Resampling.BOX))
    margin = max(max(cuts[:2]) / small.shape[0], max(cuts[2:]) / small.shape[1])
    file = (width or columns, height or rows)
    return View(*file, cuts, margin, inner, counts, low, high, tile, colour)


def colourfulness(image: Image.Image) -> float:
    """Share of a picture of any mode that is clearly coloured, 0-1: its channels lie apart.

    Seen at 48 x 48, so that neither a coloured letter nor the noise of JPEG counts for much.
    """
    if image.mode in ("1", "L", "LA") or image.mode.startswith(("I", "F")):
        return 0.0
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    small = rgb.reduce(max(1, min(image.size) // TILE))
    channels = np.asarray(small, np.int16)
    return float((np.ptp(channels, axis=2) > _APART).mean())


def _frame(grey: Grey) -> tuple[int, int, int, int]:
    """Pixels to cut at top, bottom, left and right so that no frame is left."""
    import cv2

    down, across = (
        cv2.reduce(grey, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel() for axis in (1, 0)
    )  # mean of each line
    sides = (down, down[::-1], across, across[::-1])
    if max(mean[: _outer(len(mean))].max() for mean in sides) < _STEP:
        return 0, 0, 0, 0  # most pictures are dark at their edges
    squares = grey.astype(np.float32)
    squares *= squares
    rows, columns = (np.full(n, 1 / n, np.float32) for n in grey.shape)
    y, x = (
        np.sqrt(np.maximum(square - mean * mean, 0))
        for square, mean in ((squares @ columns, down), (rows @ squares, across))
    )  # spread of each line
    deep = [_depth(*side) for side in zip(sides, (y, y[::-1], x, x[::-1]), strict=True)]
    return deep[0], deep[1], deep[2], deep[3]


def _outer(n: int) -> int:
    """How many of n lines are the outer tenth."""
    return max(1, round(_SEEK * n))


def _depth(mean: Floats, spread: Floats) -> int:
    """Where the last uniform bright line that begins in the outer tenth ends; 0: there is none.

    Of each line, from the edge: its mean and standard deviation. The background of a negative is
    uniform and bright too, but fades into the head: a frame must end in a step of 40 grey levels
    within three lines.
    """
    n = len(mean)
    outer = _outer(n)
    uniform = spread <= _UNIFORM
    if not (uniform & (mean >= _STEP))[:outer].any():
        return 0
    depth = line = 0
    while line < outer:
        end = line + 1
        if uniform[line] and mean[line] >= _STEP:
            while end < n // 2 and uniform[end] and abs(mean[end] - mean[line]) < 30:
                end += 1
            inside = mean[end : end + 3]
            if inside.size and mean[line:end].max() - inside.min() >= _STEP:
                depth = end
        line = end
    return depth


def span(seen: Sequence[View]) -> Floats:
    """(N,) grey levels between the 1st and 99th percentile, 0-255."""
    return np.array([one.span for one in seen])


def brightness(seen: Sequence[View]) -> Floats:
    """(N,) the 99th percentile, 0-255."""
    return np.array([one.high for one in seen])


def shorter_side(seen: Sequence[View]) -> Floats:
    """(N,) pixels of the file's shorter side."""
    return np.array([min(one.width, one.height) for one in seen], np.float64)


def aspect(seen: Sequence[View]) -> Floats:
    """(N,) longer side over shorter side of the file."""
    sides = [sorted((one.width, one.height)) for one in seen]
    return np.array([longer / max(shorter, 1) for shorter, longer in sides])


def framed_sides(seen: Sequence[View]) -> Floats:
    """(N,) sides with a uniform bright line along them, 0-4."""
    return np.array([sum(depth > 0 for depth in one.frame) for one in seen], np.float64)


def sharpness(seen: Sequence[View]) -> Floats:
    """(N,) Laplacian over gradient at the steepest edges: the lesser of two scales.

    Both grow with contrast alike, so their ratio does not; for an edge of Gaussian width s it falls
    as 1/s. At half the size noise laid over a blur no longer passes for detail; 0.83 brings the
    blurs of both scales to one threshold.
    """
    return np.array([_sharpness(one) for one in seen])


def _sharpness(seen: View) -> float:
    if seen.span < 1 or min(seen.grey.shape) < 16:
        return math.nan
    x = seen.grey.astype(np.int16)
    even = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
    rows = even[::2] + even[1::2]
    half = rows[:, ::2] + rows[:, 1::2]  # sums of four: the ratio knows no scale
    return min(_edge_ratio(x, 4), 0.83 * _edge_ratio(half, 2))


def _edge_ratio(x: NDArray[np.int16], step: int) -> float:
    """Mean of |Laplacian| over that of |gradient|, over the steepest 5 % of the pixels.

    Every `step`-th row with its neighbours is looked at: plenty, and quicker.
    """
    rows = slice(1, -1, step)
    across = np.abs(x[rows, 2:] - x[rows, :-2])
    steep = across + np.abs(x[2::step, 1:-1] - x[:-2:step, 1:-1])  # (H/step, W-2) about 2 slopes
    flat = steep.ravel()
    rank = int(0.95 * flat.size)
    limit = max(1, int(np.partition(flat, rank)[rank]))
    steepest = np.flatnonzero(flat >= np.int16(limit))
    row, column = np.divmod(steepest, steep.shape[1])
    width = x.shape[1]
    at = (row * step + 1) * width + column + 1
    level = x.ravel()
    around = level[at - 1] + level[at + 1] + level[at - width] + level[at + width]
    slope = int(flat[steepest].sum(dtype=np.int64))
    return int(np.abs(around - 4 * level[at]).sum(dtype=np.int64)) / slope if slope else math.nan
