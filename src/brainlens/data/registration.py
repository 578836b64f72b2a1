"""Owns the exact test of a pair: how well do two pictures correlate once laid on each other?

Two crops of one picture match only after alignment. The alignment sought is a small one, a shift
and a stretch of each axis, found by Gauss-Newton (inverse compositional, Baker & Matthews 2004) at
64 x 64; the correlation is then taken at 128 x 128, over the part of the head that both show, after
the best quadratic tone curve, so that gamma and contrast do not hide a twin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from brainlens.data.descriptor import FRAME

Array = np.ndarray[Any, Any]

MAX_STEP = 0.08  # of the frame, a step: keeps a bad start from running away
LEAST = 0.6  # of the head's area that both must show


def align(
    first: Array, second: Array, maps: Array, heads: Array, *, rounds: int
) -> tuple[Array, Array]:
    """Refine maps (N, 4) from the first picture's frame to the second's; correlations (N,) too.

    Pictures are (N, S, S) float32; a map is scale and shift across, scale and shift down, in
    shares of the frame; heads (N, 4) say which part of the first counts.
    """
    maps = maps.copy()
    size = first.shape[-1]
    centres = (np.arange(size, dtype=np.float32) + 0.5) / size
    inner = _inside(centres, heads[:, :2]), _inside(centres, heads[:, 2:])
    slopes = _slopes(first, centres) if rounds else first  # (N, 4, S * S)
    r = np.zeros(len(first), np.float32)
    for round_ in range(rounds + 1):
        seen, mask = _warp(second, maps, centres, inner)
        a, spread = _standard(first.reshape(-1, first.shape[-1] ** 2), mask)
        b, _ = _standard(seen, mask)
        r = np.asarray((a * b).sum(1))
        if round_ == rounds:
            break
        masked = slopes * (mask / np.maximum(spread, 1e-6)[:, None])[:, None]
        normal = masked @ masked.transpose(0, 2, 1)
        ridge = 1e-6 + 1e-3 * normal[:, range(4), range(4)].mean(1)
        normal += np.eye(4, dtype=np.float32) * ridge[:, None, None]
        wrong = masked @ (b - a)[..., None]
        step = np.clip(np.linalg.solve(normal, wrong)[..., 0], -MAX_STEP, MAX_STEP)
        for k in (0, 2):  # across, down
            scale = maps[:, k].copy()
            maps[:, k] = scale * (1 - step[:, k + 1])
            maps[:, k + 1] -= scale * (step[:, k] - 0.5 * step[:, k + 1])
    return maps, r


def correlation(first: Array, second: Array, maps: Array, heads: Array) -> Array:
    """r (N,) of (N, FRAME, FRAME) pictures under their maps, over what both show of the head.

    0 where they share less than LEAST of it. r is that of the first with the best quadratic tone
    curve of the second, and negative where that curve falls.
    """
    centres = (np.arange(FRAME, dtype=np.float32) + 0.5) / FRAME
    inner = _inside(centres, heads[:, :2]), _inside(centres, heads[:, 2:])
    seen, mask = _warp(second, maps, centres, inner)
    shared = mask.sum(1)
    head = inner[0].sum(1) * inner[1].sum(1)
    r = tone_correlation(first.reshape(-1, first.shape[-1] ** 2), seen, mask)
    return np.where(shared >= LEAST * head, r, 0)


def tone_correlation(first: Array, second: Array, mask: Array) -> Array:
    """Correlation (N,) of (N, P) pictures within a mask, up to a quadratic tone curve."""
    a, _ = _standard(first, mask)
    b, _ = _standard(second, mask)
    square, size = _standard(b * b, mask)
    slope = (a * b).sum(1)
    curve = (a * square).sum(1)
    cross = (b * square).sum(1)
    gain = (curve - slope * cross) ** 2 / np.maximum(1 - cross**2, 1e-3)  # what b^2 adds to r^2
    return np.asarray(np.sign(slope) * np.sqrt(np.clip(slope**2 + gain, 0, 1)) * (size > 0))


def _standard(values: Array, mask: Array) -> tuple[Array, Array]:
    """(N, P) with mean 0 and norm 1 within the mask, 0 outside; and the norms."""
    count = np.maximum(mask.sum(1, keepdims=True), 1)
    centred = (values - (values * mask).sum(1, keepdims=True) / count) * mask
    norm = np.sqrt(np.einsum("np,np->n", centred, centred))
    return centred / np.maximum(norm, 1e-6)[:, None], norm


def _inside(centres: Array, span: Array) -> Array:
    """(N, S): 1 where a pixel lies in the span (N, 2)."""
    return np.asarray((centres > span[:, :1]) & (centres < span[:, 1:]), np.float32)


def _slopes(picture: Array, centres: Array) -> Array:
    """(N, 4, S * S): change of the picture with a shift and a stretch across, then down."""
    size = len(centres)
    across, down = np.zeros_like(picture), np.zeros_like(picture)
    across[:, :, 1:-1] = (picture[:, :, 2:] - picture[:, :, :-2]) * (size / 2)
    down[:, 1:-1] = (picture[:, 2:] - picture[:, :-2]) * (size / 2)
    away = centres - 0.5
    four = np.stack([across, across * away, down, down * away[:, None]], 1)
    return four.reshape(-1, 4, size * size)


def _warp(
    picture: Array, maps: Array, centres: Array, inner: tuple[Array, Array]
) -> tuple[Array, Array]:
    """The second picture seen through the map, and the mask of what counts: both (N, S * S)."""
    across, inside_x = _weights(maps[:, 0:2], centres)
    down, inside_y = _weights(maps[:, 2:4], centres)
    seen = down @ picture @ across.transpose(0, 2, 1)
    mask = (inside_y * inner[1])[:, :, None] * (inside_x * inner[0])[:, None]
    pixels = len(centres) ** 2
    return seen.reshape(-1, pixels), mask.reshape(-1, pixels)


def _weights(line: Array, centres: Array) -> tuple[Array, Array]:
    """Linear interpolation along one axis: (N, S, S) weights, and (N, S) which lie in the frame.

    Where the map shrinks, the hat widens, so that nothing aliases.
    """
    size = len(centres)
    scale, shift = line[:, :1], line[:, 1:]
    at = scale * centres + shift  # (N, S) in the second frame
    width = np.maximum(scale, 1)[:, :, None]
    hat = 1 - np.abs((at * size - 0.5)[:, :, None] - np.arange(size, dtype=np.float32)) / width
    np.maximum(hat, 0, out=hat)
    hat /= np.maximum(hat.sum(2, keepdims=True), 1e-6)
    return hat, np.asarray((at > 0) & (at < 1), np.float32)
