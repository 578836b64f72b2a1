"""Owns burnt-in text: letters, words and marks that stand outside the head, counted.

The cheap questions come first: most pictures show nothing small beside the head, and only where
something does is it asked whether its strokes are thin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from brainlens.data.measures import Floats, Mask, View

_CONTRAST = 40.0  # grey levels of a stroke above its ground, at least
_STROKE = 7  # pixels: what is thinner is a stroke
_NEAR = 5  # pixels a side of what counts as touching: two to either side


def glyphs(seen: Sequence[View]) -> Floats:
    """(N,) letters, words and marks burnt in outside the head; touching letters count once.

    Bright (45 % of the range, at least 40 levels) strokes thinner than 7 of at most 256 pixels, in
    small connected parts that touch neither the largest part (the head) nor its rows and columns.
    """
    return np.array([_glyphs(one) for one in seen])


def _glyphs(seen: View) -> float:
    import cv2

    x = seen.grey
    if seen.span < 1 or min(x.shape) < 16:
        return math.nan
    # Whole levels: a comparison with a float would turn every pixel into one.
    contrast, level = int(max(_CONTRAST, 0.45 * seen.span)), int(seen.low + 0.15 * seen.span)
    lit = x > level
    strokes: Mask | None = None
    if contrast < level:  # else a stroke is lit as it is
        strokes = _strokes(x, contrast)
        lit |= strokes
    n, parts, boxes, _ = cv2.connectedComponentsWithStats(_halved(lit).view(np.uint8))
    if n <= 2:  # the ground, and one part
        return 0.0
    wide, tall, area = boxes[1:, 2], boxes[1:, 3], boxes[1:, 4]
    head = int(np.argmax(tall * wide))
    letters = (tall <= 0.06 * x.shape[0]) & (wide <= 0.25 * x.shape[1])
    letters &= (np.maximum(tall, wide) >= 3) & (np.minimum(tall, wide) >= 2)
    letters &= tall < 4 * wide
    letters[head] = False
    if not letters.any():
        return 0.0
    covered = _between(parts == head + 1).view(np.uint8)
    near = cv2.dilate(covered, np.ones((_NEAR, _NEAR), np.uint8))
    for part in np.flatnonzero(letters) + 1:
        left, top, across, down = boxes[part, :4]
        box = slice(top, top + down), slice(left, left + across)
        letters[part - 1] = not near[box][parts[box] == part].any()
    if not letters.any():
        return 0.0
    strokes = _strokes(x, contrast) if strokes is None else strokes
    thin = np.bincount(parts[_halved(strokes)], minlength=n)[1:]
    return float((letters & (thin >= 0.5 * area)).sum())


def _strokes(grey: Any, contrast: int) -> Mask:
    """What stands so far above the grey opening with a square: thin, and bright."""
    import cv2

    square = np.ones((_STROKE, _STROKE), np.uint8)
    ground = cv2.morphologyEx(grey, cv2.MORPH_OPEN, square, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.subtract(grey, ground) > contrast)


def _halved(mask: Mask) -> Mask:
    """Two by two pixels to one, set where any is."""
    even = mask[: mask.shape[0] // 2 * 2, : mask.shape[1] // 2 * 2]
    rows = even[::2] | even[1::2]
    return np.asarray(rows.view(np.uint16) != 0)  # two neighbours are one number


def _between(mask: Mask) -> Mask:
    """Set what lies between set pixels both in its row and in its column."""
    spans = np.ones_like(mask)
    for turned, out in ((mask, spans), (mask.T, spans.T)):
        n = turned.shape[1]
        first = np.where(turned.any(1), turned.argmax(1), n)[:, None]
        last = n - 1 - turned[:, ::-1].argmax(1)[:, None]
        out &= (np.arange(n) >= first) & (np.arange(n) <= last)
    return spans
