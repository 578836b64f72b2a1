"""Owns burnt-in text: letters, words and marks that stand outside the head, counted."""

from __future__ import annotations

import math

import numpy as np

from brainlens.data.measures import Mask, View
from brainlens.data.shrinking import Grey

_CONTRAST = 40.0  # grey levels of a stroke above its ground, at least


def glyphs(seen: View) -> float:
    """Letters, words and marks burnt in outside the head, counted; touching letters count once.

    Bright (45 % of the range, at least 40 levels) strokes thinner than 7 of at most 256 pixels, in
    small connected parts that touch neither the largest part (the head) nor its rows and columns.
    """
    from scipy import ndimage

    x = seen.grey
    if seen.span < 1 or min(x.shape) < 16:
        return math.nan
    # Whole levels: a comparison with a float would turn every pixel into one.
    strokes = x - _opening(x, 7) > int(max(_CONTRAST, 0.45 * seen.span))
    if not strokes.any():
        return 0.0
    lit = _halved((x > int(seen.low + 0.15 * seen.span)) | strokes)
    strokes = _halved(strokes)
    if not strokes.any():
        return 0.0
    parts, n = ndimage.label(lit, np.ones((3, 3)))
    if n == 1:
        return 0.0
    boxes = ndimage.find_objects(parts)
    tall, wide = np.array([(y.stop - y.start, x.stop - x.start) for y, x in boxes]).T
    head = int(np.argmax(tall * wide))
    small = (tall <= 0.06 * x.shape[0]) & (wide <= 0.25 * x.shape[1])
    letters = small & (np.maximum(tall, wide) >= 3) & (np.minimum(tall, wide) >= 2)
    letters &= tall < 4 * wide
    letters[head] = False
    if not letters.any():
        return 0.0
    area = np.bincount(parts.ravel(), minlength=n + 1)[1:]
    thin = np.bincount(parts[strokes], minlength=n + 1)[1:]
    letters &= thin >= 0.5 * area
    if not letters.any():
        return 0.0
    covered = _between(parts == head + 1)
    near = (_touches(covered, parts == k + 1, 2) for k in np.flatnonzero(letters))
    return float(sum(not touched for touched in near))


def _touches(covered: Mask, part: Mask, reach: int) -> bool:
    """Whether anything covered lies within so many rows and columns of the part."""
    wide = np.pad(covered, reach)
    y, x = np.nonzero(part)
    steps = range(2 * reach + 1)
    return any(bool(wide[y + down, x + across].any()) for down in steps for across in steps)


def _halved(mask: Mask) -> Mask:
    """Two by two pixels to one, set where any is."""
    even = mask[: mask.shape[0] // 2 * 2, : mask.shape[1] // 2 * 2]
    rows = even[::2] | even[1::2]
    return rows[:, ::2] | rows[:, 1::2]


def _between(mask: Mask) -> Mask:
    """Set what lies between set pixels both in its row and in its column."""
    spans = np.ones_like(mask)
    for turned, out in ((mask, spans), (mask.T, spans.T)):
        n = turned.shape[1]
        first = np.where(turned.any(1), turned.argmax(1), n)[:, None]
        last = n - 1 - turned[:, ::-1].argmax(1)[:, None]
        out &= (np.arange(n) >= first) & (np.arange(n) <= last)
    return spans


def _opening(grey: Grey, size: int) -> Grey:
    """Grey opening with a square: what is thinner than `size` pixels and bright is gone."""
    return _window(_window(grey, size, np.minimum), size, np.maximum)


def _window(grey: Grey, size: int, extreme: np.ufunc) -> Grey:
    """Running extreme over a square of odd `size`, by doubling; edges repeat.

    The padded picture is one long line, shifted by pixels and by rows: what runs over the end of a
    row falls in the margin that is cut off.
    """
    rows, columns = grey.shape
    edge = size // 2
    padded = np.empty((rows + 2 * edge, columns + 2 * edge), grey.dtype)
    inner = padded[edge:-edge]
    inner[:, edge:-edge] = grey
    inner[:, :edge], inner[:, -edge:] = grey[:, :1], grey[:, -1:]
    padded[:edge], padded[-edge:] = inner[0], inner[-1]
    stride = padded.shape[1]
    line = padded.ravel()
    width = 1
    while width < size:
        step = min(width, size - width)
        line = extreme(line[:-step], line[step:])
        line = extreme(line[: -step * stride], line[step * stride :])
        width += step
    whole = np.zeros(rows * stride, grey.dtype)
    whole[: len(line)] = line
    return whole.reshape(rows, stride)[:, :columns]
