"""Owns the exact test of a pair: how well do two pictures correlate once laid on each other?

Two crops of one picture match only after alignment. The alignment sought is a small one, a shift
and a stretch of each axis, found by Gauss-Newton (inverse compositional, Baker & Matthews 2004) on
small pictures; the correlation is then taken at 128 x 128, over the part of the head that both
show, after the best quadratic tone curve, so that gamma and contrast do not hide a twin.

Pictures are (N, S, S) float32 in 0..1. A map (N, 4) is scale and shift across, scale and shift
down, from the first picture's frame to the second's, in shares of the frame. Heads (N, 4) are
left, right, top, bottom of what counts in the first. Every sum over pixels is a matrix product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LARGEST_STEP = 0.08  # of the frame: keeps a bad start from running away
LEAST_SHARED = 0.6  # of the head's area that both must show
_GREY = np.float32(0.4)  # subtracted, since sums of squares want values around 0


def align(
    first: Array, second: Array, maps: Array, heads: Array, *, rounds: int
) -> tuple[Array, Array]:
    """Refine the maps; with the correlations (N,) over what both show of the head.

    r is that of the first with the best quadratic tone curve of the second: negative where the two
    run against each other, 0 where they share less than LEAST_SHARED of the head.
    """
    size = first.shape[-1]
    centres = (np.arange(size, dtype=np.float32) + 0.5) / size
    inner = _inside(centres, heads[:, :2]), _inside(centres, heads[:, 2:])
    first, second = first - _GREY, second - _GREY
    slopes = _slopes(first, centres) if rounds else first
    normal = np.zeros((len(first), 4, 4))
    for done in range(rounds + 1):
        layers = _layers(first, second, maps, centres, inner)  # (N, 4, S * S)
        if done == rounds:
            break
        layers = layers[:, :3]
        along = (slopes @ layers.transpose(0, 2, 1)).astype(np.float64)  # (N, 4, 3)
        count, mean, norm = _moments(_sums(layers))
        flat = along[:, :, 0]
        if not done:
            masked = slopes * layers[:, :1]
            normal = masked @ slopes.transpose(0, 2, 1) - (
                flat[:, :, None] * flat[:, None] / count[:, None, None]
            )
            ridge = 1e-6 + 1e-3 * normal[:, range(4), range(4)].mean(1)
            normal += np.eye(4) * ridge[:, None, None]
        scaled = [
            (along[:, :, k] - mean[:, k, None] * flat) / norm[:, k, None] for k in (1, 2)
        ]  # slopes times the standardised first and second
        step = np.linalg.solve(normal, (scaled[1] - scaled[0])[..., None])[..., 0]
        maps = _stepped(maps, np.clip(step * norm[:, 1, None], -LARGEST_STEP, LARGEST_STEP))
    return maps, _tone_correlation(layers, inner[0].sum(1) * inner[1].sum(1))


def _tone_correlation(layers: Array, head: Array) -> Array:
    """r (N,) of two layers under their mask, up to a quadratic tone curve of the second."""
    np.square(layers[:, 2], out=layers[:, 3])
    sums = _sums(layers)
    count, mean, norm = _moments(sums)
    centred = sums - count[:, None, None] * mean[:, :, None] * mean[:, None]
    r = centred / (norm[:, :, None] * norm[:, None])
    slope, curve, cross = r[:, 1, 2], r[:, 1, 3], r[:, 2, 3]
    gain = (curve - slope * cross) ** 2 / np.maximum(1 - cross**2, 1e-3)  # what b^2 adds to r^2
    value = np.sign(slope) * np.sqrt(np.clip(slope**2 + gain, 0, 1))
    return np.where(count >= LEAST_SHARED * head, value, 0)


def _layers(
    first: Array, second: Array, maps: Array, centres: Array, inner: tuple[Array, Array]
) -> Array:
    """(N, 4, S * S): the mask of what counts, the first, the second seen through the map, room."""
    size = len(centres)
    across, x = _weights(maps[:, 0:2], centres, inner[0])
    down, y = _weights(maps[:, 2:4], centres, inner[1])
    layers = np.empty((len(first), 4, size, size), np.float32)
    np.multiply(y[:, :, None], x[:, None], out=layers[:, 0])
    np.multiply(first, layers[:, 0], out=layers[:, 1])
    np.matmul(down @ second, across.transpose(0, 2, 1), out=layers[:, 2])
    return layers.reshape(-1, 4, size * size)


def _sums(layers: Array) -> Array:
    """(N, L, L): sums over the pixels of every product of two layers."""
    return np.asarray(layers @ layers.transpose(0, 2, 1), np.float64)


def _moments(sums: Array) -> tuple[Array, Array, Array]:
    """Pixels that count (N,), and means and norms (N, L) of the layers; layer 0 is the mask."""
    count = np.maximum(sums[:, 0, 0], 1)
    mean = sums[:, 0] / count[:, None]
    spread = np.diagonal(sums, axis1=1, axis2=2) - count[:, None] * mean**2
    return count, mean, np.sqrt(np.maximum(spread, 1e-6))


def _stepped(maps: Array, step: Array) -> Array:
    """The maps after a step (N, 4): shift and stretch about the middle, across and down."""
    scale, shift = maps[:, ::2], maps[:, 1::2]
    move, stretch = step[:, ::2], step[:, 1::2]
    new = np.stack([scale * (1 - stretch), shift - scale * (move - 0.5 * stretch)], 2)
    return new.reshape(-1, 4).astype(np.float32)


def _inside(centres: Array, span: Array) -> Array:
    """(N, S): 1 where a pixel lies in the span (N, 2)."""
    return np.asarray((centres > span[:, :1]) & (centres < span[:, 1:]), np.float32)


def _slopes(picture: Array, centres: Array) -> Array:
    """(N, 4, S * S): change of the picture with a shift and a stretch across, then down."""
    size = len(centres)
    four = np.zeros((len(picture), 4, size, size), np.float32)
    np.subtract(picture[:, :, 2:], picture[:, :, :-2], out=four[:, 0, :, 1:-1])
    np.subtract(picture[:, 2:], picture[:, :-2], out=four[:, 2, 1:-1])
    four[:, ::2] *= size / 2
    away = centres - np.float32(0.5)
    np.multiply(four[:, 0], away, out=four[:, 1])
    np.multiply(four[:, 2], away[:, None], out=four[:, 3])
    return four.reshape(-1, 4, size * size)


def _weights(line: Array, centres: Array, inner: Array) -> tuple[Array, Array]:
    """Linear interpolation along one axis: (N, S, S) weights, 0 for what is outside the frame of
    the second or `inner` (N, S) of the first, and (N, S) what is inside.

    Where the map shrinks (up to 2 times) the hat widens, so that nothing aliases.
    """
    size = len(centres)
    scale, shift = line[:, :1], line[:, 1:]
    at = scale * centres + shift  # (N, S) in the second's frame
    inside = inner * ((at > 0) & (at < 1))
    place = at * size - np.float32(0.5)
    taps = np.floor(place)[:, :, None] + np.arange(-1, 3, dtype=np.float32)  # (N, S, 4)
    hat = np.maximum(1 - np.abs(place[:, :, None] - taps) / np.maximum(scale, 1)[:, :, None], 0)
    hat *= (taps >= 0) & (taps < size)
    hat *= (inside / np.maximum(hat.sum(2), np.float32(1e-6)))[:, :, None]
    weights = np.zeros((len(line), size, size), np.float32)
    rows = np.arange(len(line) * size).reshape(len(line), size, 1) * size
    # Taps beyond the frame weigh 0; adding leaves what another tap put at its edge.
    columns = rows + np.clip(taps, 0, size - 1).astype(np.int64)
    flat = weights.reshape(-1)
    for k in range(4):
        flat[columns[:, :, k].ravel()] += hat[:, :, k].ravel()
    return weights, inside
