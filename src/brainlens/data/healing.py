"""Owns healing: a tumour painted out of its own slice, so that the scan itself is no longer a clue.

In the public sets nearly every contrast T1 slice shows a tumour, so a network may learn the
contrast instead of the tumour. A healed slice is a contrast T1 slice without one. What lay inside
the outline is taken from a slice that fits best around it: the same slice mirrored, or another,
its brightness fitted on a ring around the hole, its edge feathered.

Painting leaves traces, so decoys carry them too: the same repair of a place where nothing was.
Enters: (N, S, S) uint8 pictures and their masks. Leaves: as many healed ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from brainlens.core.progress import track
from brainlens.core.seeding import generator
from brainlens.data.preprocess import Array

_DONORS = 48  # other slices tried for each hole
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


def healed(pictures: Array, masks: Array, donors: Array, *, seed: int) -> Array:
    """Each picture with its masked part painted out; the picture itself where no slice fits.

    `donors` numbers the pictures that show no tumour but inside their masks.
    """
    made = np.array(pictures)
    for i in track(range(len(pictures)), "painting tumours out", len(pictures)):
        draw = generator(seed, "healing", i)
        if masks[i].any():
            made[i] = _paint(i, _hole(masks[i] > 127), pictures, masks, donors, draw)
    return made


def decoys(pictures: Array, masks: Array, donors: Array, *, seed: int) -> Array:
    """Each picture with another's mask painted over where nothing was; itself where none fits."""
    made = np.array(pictures)
    marked = np.flatnonzero(masks.any((1, 2)))
    for i in track(range(len(pictures)), "painting decoys", len(pictures)):
        draw = generator(seed, "decoy", i)
        own = ndimage.uniform_filter(masks[i], 17) > 0  # the mask and 8 pixels around it
        for other in draw.choice(marked, min(8, len(marked)), replace=False):
            place = masks[other] > 127
            if (place & own).any() or np.median(pictures[i][place]) < 25:
                continue
            made[i] = _paint(i, _hole(place), pictures, masks, donors, draw)
            break
    return made


def _hole(mask: Array) -> Hole:
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


def _paint(
    i: int, hole: Hole, pictures: Array, masks: Array, donors: Array, draw: np.random.Generator
) -> Array:
    """Picture `i` with its hole filled from the slice that fits its ring best."""
    target = pictures[i][hole.window].astype(np.float32)
    best: tuple[float, Array] | None = None
    others = draw.choice(donors, min(_DONORS, len(donors)), replace=False)
    tried = [(int(j), bool(draw.random() < 0.5)) for j in others if j != i]
    for j, mirrored in [(i, True)] * bool((donors == i).any()) + tried:
        patch, sick = (_seen(stack[j], hole.window, mirrored) for stack in (pictures, masks))
        if (sick[hole.inside | hole.ring] > 127).any():
            continue
        fitted, misfit = _fitted(patch.astype(np.float32), target, hole.ring)
        if best is None or misfit < best[0]:
            best = misfit, fitted
    out = np.array(pictures[i])
    if best is None:
        return out
    weight = ndimage.gaussian_filter(hole.inside.astype(np.float32), _FEATHER * len(out))
    blended = target * (1 - weight) + best[1] * weight
    out[hole.window] = np.clip(np.rint(blended), 0, 255).astype(np.uint8)
    return out


def _seen(picture: Array, window: tuple[slice, slice], mirrored: bool) -> Array:
    return picture[:, ::-1][window] if mirrored else picture[window]


def _fitted(patch: Array, target: Array, ring: Array) -> tuple[Array, float]:
    """The patch with its brightness fitted to the ring, and what remains between them there."""
    x, y = patch[ring], target[ring]
    gain = float(np.cov(x, y)[0, 1] / (x.var() + 25.0))
    gain = min(max(gain, _GAIN[0]), _GAIN[1])
    shift = float(y.mean() - gain * x.mean())
    misfit: Any = np.abs(gain * x + shift - y).mean()
    return gain * patch + shift, float(misfit)
