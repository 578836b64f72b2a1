"""Owns painting: a place of one slice filled from another so that the seam does not show.

Brightness is fitted on a ring around the place, the edge is feathered. Enters: (S, S) uint8
pictures and masks. Leaves: painted copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from brainlens.data.preprocess import Array

_GROW = 0.02  # of the side: how far beyond the outline is painted
_RING = 0.03  # of the side: the width of the ring that must fit
_FEATHER = 0.012  # of the side: standard deviation of the edge
_GAIN = (0.5, 2.0)  # brightness may be fitted within this


@dataclass(frozen=True)
class Hole:
    """A place to be painted over: a window of the picture, what is inside, and the ring around."""

    window: tuple[slice, slice]
    inside: Array  # bool, of the window
    ring: Array  # bool, of the window


def hole_of(mask: Array) -> Hole:
    """The mask grown a little, the ring around it, and the window that holds both."""
    side = len(mask)
    inside = ndimage.binary_dilation(mask, iterations=max(1, round(_GROW * side)))
    around = ndimage.binary_dilation(inside, iterations=max(2, round(_RING * side)))
    rows, columns = np.flatnonzero(around.any(1)), np.flatnonzero(around.any(0))
    margin = round(3 * _FEATHER * side)
    window = tuple(
        slice(max(0, int(line[0]) - margin), min(side, int(line[-1]) + 1 + margin))
        for line in (rows, columns)
    )
    return Hole((window[0], window[1]), inside[window], (around & ~inside)[window])


def seen(picture: Array, window: tuple[slice, slice], mirrored: bool) -> Array:
    """A window of the picture or of its mirror image."""
    return picture[:, ::-1][window] if mirrored else picture[window]


def fitted(patch: Array, target: Array, ring: Array) -> tuple[Array, float]:
    """The patch with its brightness fitted to the ring, and what remains between them there."""
    x, y = patch[ring], target[ring]
    gain = float(np.cov(x, y)[0, 1] / (x.var() + 25.0))
    gain = min(max(gain, _GAIN[0]), _GAIN[1])
    shift = float(y.mean() - gain * x.mean())
    misfit: Any = np.abs(gain * x + shift - y).mean()
    return gain * patch + shift, float(misfit)


def filled(picture: Array, hole: Hole, patch: Array, strength: float = 1.0) -> Array:
    """A copy of the picture with a patch in the hole, `strength` of it against what was there."""
    out = np.array(picture)
    edge = ndimage.gaussian_filter(hole.inside.astype(np.float32), _FEATHER * len(out))
    weight, target = strength * edge, picture[hole.window].astype(np.float32)
    blended = target * (1 - weight) + patch * weight
    out[hole.window] = np.clip(np.rint(blended), 0, 255).astype(np.uint8)
    return out
