"""Owns burnt-in text: letters, words and marks that stand outside the head, counted."""

from __future__ import annotations

import math

import numpy as np

from brainlens.data.measures import Grey, Mask, View

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
    strokes = x - _opening(x, 7) > max(_CONTRAST, 0.45 * seen.span)
    lit = _halved((x > seen.low + 0.15 * seen.span) | strokes)
    strokes = _halved(strokes)
    if not strokes.any():
        return 0.0
    parts, n = ndimage.label(lit, np.ones((3, 3)))
    boxes = ndimage.find_objects(parts)
    tall = np.array([box[0].stop - box[0].start for box in boxes])
    wide = np.array([box[1].stop - box[1].start for box in boxes])
    head = int(np.argmax(tall * wide))
    area, thin = (np.bincount(parts[of], minlength=n + 1)[1:] for of in (lit, strokes))
    small = (tall <= 0.06 * x.shape[0]) & (wide <= 0.25 * x.shape[1])
    shaped = (np.maximum(tall, wide) >= 3) & (np.minimum(tall, wide) >= 2) & (tall < 4 * wide)
    letters = small & shaped & (thin >= 0.5 * area)
    letters[head] = False
    if not letters.any():
        return 0.0
    covered = _window(_between(parts == head + 1).astype(np.uint8), 5, np.maximum) > 0
    letters[np.unique(parts[covered & (parts > 0)]) - 1] = False
    return float(letters.sum())


def _halved(mask: Mask) -> Mask:
    """Two by two pixels to one, set where any is."""
    even = mask[: mask.shape[0] // 2 * 2, : mask.shape[1] // 2 * 2]
    rows = even[::2] | even[1::2]
    return rows[:, ::2] | rows[:, 1::2]


def _between(mask: Mask) -> Mask:
    """Set what lies between set pixels both in its row and in its column."""
    spans = np.ones_like(mask)
    for turned, out in ((mask, spans), (mask.T, spans.T)):
        since = np.maximum.accumulate(turned, axis=1)
        until = np.maximum.accumulate(turned[:, ::-1], axis=1)[:, ::-1]
        out &= since & until
    return spans


def _opening(grey: Grey, size: int) -> Grey:
    """Grey opening with a square: what is thinner than `size` pixels and bright is gone."""
    return _window(_window(grey, size, np.minimum), size, np.maximum)


def _window(grey: Grey, size: int, extreme: np.ufunc) -> Grey:
    """Running extreme over a square of odd `size`, by doubling; edges repeat."""
    grey = np.pad(grey, size // 2, mode="edge")
    width = 1
    while width < size:
        step = min(width, size - width)
        grey = extreme(grey[:-step], grey[step:])
        grey = extreme(grey[:, :-step], grey[:, step:])
        width += step
    return grey
