"""Owns what can be measured of one picture without knowing any other: frame, sharpness, head.

Enters: a grey picture, uint8 `H x W`. Leaves: a `View` of it (a copy of at most 256 pixels a side,
its frame cut off) and one number for each question; `nan` where a question makes no sense, such as
the sharpness of a constant picture. What number is too much stands in `quality.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from brainlens.data.shrinking import Grey, shrunk

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_TILE = 48  # the head's shape needs no more
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
    tile: Floats  # (48, 48) stretched, 0 = low, 1 = high
    corners: Floats  # (4,) of the tile, clockwise
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
    rows, columns = grey.shape
    small = shrunk(grey)
    cuts = _frame(small)
    top, bottom, left, right = (depth + 1 if depth else 0 for depth in cuts)
    inner = small[top : small.shape[0] - bottom, left : small.shape[1] - right]
    if min(inner.shape) < 16:
        inner = small
    image = Image.fromarray(inner)
    counts = np.array(image.histogram())
    shares = np.cumsum(counts) / inner.size
    low, high = (float(level) for level in np.searchsorted(shares, (0.01, 0.99)))
    tile = np.asarray(image.resize((_TILE, _TILE), Image.Resampling.BOX), np.float32)
    tile = np.clip((tile - low) / max(high - low, 1.0), 0, 1)
    margin = max(max(cuts[:2]) / small.shape[0], max(cuts[2:]) / small.shape[1])
    file = (width or columns, height or rows)
    return View(*file, cuts, margin, inner, counts, low, high, tile, _corners(tile), colour)


def colourfulness(image: Image.Image) -> float:
    """Share of a picture of any mode that is clearly coloured, 0-1: its channels lie apart.

    Seen at 48 x 48, so that neither a coloured letter nor the noise of JPEG counts for much.
    """
    if image.mode in ("1", "L", "LA") or image.mode.startswith(("I", "F")):
        return 0.0
    small = image.convert("RGB").reduce(max(1, min(image.size) // _TILE))
    channels = np.asarray(small, np.int16)
    return float((np.ptp(channels, axis=2) > _APART).mean())


def _frame(grey: Grey) -> tuple[int, int, int, int]:
    """Pixels to cut at top, bottom, left and right so that no frame is left."""
    top, left = _depth(grey), _depth(grey.T)
    return top, _depth(grey[::-1]), left, _depth(grey.T[::-1])


def _lines(lines: Grey) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each line."""
    levels = lines.astype(np.float32)
    share = np.full(lines.shape[1], 1 / lines.shape[1], np.float32)
    mean = levels @ share
    return mean, np.sqrt(np.maximum((levels * levels) @ share - mean * mean, 0))


def _depth(lines: Grey) -> int:
    """Where the last uniform bright line that begins in the outer tenth ends; 0: there is none.

    The background of a negative is uniform and bright too, but fades into the head: a frame must
    end in a step of 40 grey levels within three lines.
    """
    n = len(lines)
    outer = max(1, round(_SEEK * n))
    mean, spread = _lines(lines[:outer])
    if not ((spread <= _UNIFORM) & (mean >= _STEP)).any():
        return 0
    mean, spread = _lines(lines)
    depth = line = 0
    while line < outer:
        end = line + 1
        if spread[line] <= _UNIFORM and mean[line] >= _STEP:
            while end < n // 2 and spread[end] <= _UNIFORM and abs(mean[end] - mean[line]) < 30:
                end += 1
            inside = mean[end : end + 3]
            if inside.size and mean[line:end].max() - inside.min() >= _STEP:
                depth = end
        line = end
    return depth


def span(seen: View) -> float:
    """Grey levels between the 1st and 99th percentile, 0-255."""
    return seen.span


def brightness(seen: View) -> float:
    """The 99th percentile, 0-255."""
    return seen.high


def shorter_side(seen: View) -> float:
    """Pixels of the file's shorter side."""
    return float(min(seen.width, seen.height))


def aspect(seen: View) -> float:
    """Longer side over shorter side of the file."""
    return max(seen.width, seen.height) / max(1, min(seen.width, seen.height))


def framed_sides(seen: View) -> float:
    """Sides with a uniform bright line along them, 0-4."""
    return float(sum(depth > 0 for depth in seen.frame))


def sharpness(seen: View) -> float:
    """Laplacian over gradient at the steepest edges: the lesser of two scales.

    Both grow with contrast alike, so their ratio does not; for an edge of Gaussian width s it falls
    as 1/s. At half the size noise laid over a blur no longer passes for detail; 0.83 brings the
    blurs of both scales to one threshold.
    """
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
    counts = np.bincount(steep.ravel())
    limit = max(1, int(np.searchsorted(counts.cumsum(), int(0.95 * steep.size), side="right")))
    row, column = np.divmod(np.flatnonzero(steep >= np.int16(limit)), steep.shape[1])
    width = x.shape[1]
    at = (row * step + 1) * width + column + 1
    flat = x.ravel()
    around = flat[at - 1] + flat[at + 1] + flat[at - width] + flat[at + width]
    bend = np.abs(around - 4 * flat[at])
    slope = int(counts[limit:] @ np.arange(limit, len(counts)))
    return int(bend.sum()) / slope if slope else math.nan


def inversion(seen: View) -> float:
    """How much brighter than the centre the background is, -1 to 1: second darkest corner."""
    if seen.span < 1:
        return math.nan
    quarter = _TILE // 4
    inner = np.sort(seen.tile[quarter:-quarter, quarter:-quarter], axis=None)
    centre = float(inner[[(inner.size - 1) // 2, inner.size // 2]].mean())  # np.median, sooner
    return float(np.sort(seen.corners)[1]) - centre


def _corners(tile: Floats) -> Floats:
    """Median of the four corners, clockwise."""
    q = _TILE // 12
    parts = np.stack([tile[:q, :q], tile[:q, -q:], tile[-q:, -q:], tile[-q:, :q]]).reshape(4, -1)
    return np.asarray(np.sort(parts, axis=1)[:, q * q // 2])


def headness(seen: View) -> float:
    """How much the picture is one round bright thing on a dark ground, about -5 to 2.

    The dark share of the outer ring (0-1), plus the agreement (Matthews) of the bright part with
    the ellipse of equal moments, less 5 times the brightness of the darker pair of neighbouring
    corners (a neck or a crop may fill the other pair), less 5 times what the ellipse lacks to be
    60 % filled (pages of text, line drawings), less 10 times what is coloured beyond a tenth (a
    photo on a dark ground; the most coloured of 3,929 slices of brain MRI has 0.07). A negative
    counts as its positive.
    """
    if seen.span < 1:
        return math.nan
    tile = seen.tile
    corners = seen.corners
    if np.sort(corners)[1] > 0.8 and inversion(seen) > 0.1:
        tile, corners = 1 - tile, 1 - corners
    pair = float(np.maximum(corners, np.roll(corners, 1)).min())
    agreement, filled = _ellipse(tile > 0.15)
    inner = tile[3:-3, 3:-3]
    count = int((tile < 0.2).sum()) - int((inner < 0.2).sum())
    dark = count / (tile.size - inner.size)  # of the ring
    lacking, coloured = max(0.0, 0.6 - filled), max(0.0, seen.colour - 0.1)
    return dark + agreement - 5 * pair - 5 * lacking - 10 * coloured


def _ellipse(mask: Mask) -> tuple[float, float]:
    """Matthews correlation of a mask with the ellipse of its moments, and how full that is."""
    m = mask.astype(np.float64)
    one, n = float(m.sum()), float(mask.size)
    if one < 10:
        return 0.0, 0.0
    down, across = (np.arange(side, dtype=np.float64) for side in mask.shape)
    down -= m.sum(1) @ down / one
    across -= m.sum(0) @ across / one
    # Variances, and a tenth of a pixel so that a line is an ellipse too.
    yy = m.sum(1) @ down**2 / one + 0.1
    xx = m.sum(0) @ across**2 / one + 0.1
    xy = down @ m @ across / one
    y, x = down[:, None], across
    # An ellipse filled evenly ends at two standard deviations.
    ellipse = xx * y**2 - 2 * xy * y * x + yy * x**2 <= 4 * (xx * yy - xy * xy)
    both, other = float(m[ellipse].sum()), float(ellipse.sum())
    scale = math.sqrt(one * (n - one) * other * (n - other))
    agreement = (both * n - one * other) / scale if scale else 0.0
    return agreement, both / other if other else 0.0
