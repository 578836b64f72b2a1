"""Owns healing: a tumour painted out of its own slice, so that the scan itself is no longer a clue.

In the public sets nearly every contrast T1 slice shows a tumour, so a network may learn the
contrast instead of the tumour. A healed slice is a contrast T1 slice without one. What lay inside
the outline is taken from a slice that fits best around it: the same slice mirrored, or another.

Painting leaves traces, so decoys carry them too: the same repair of a place where nothing was.
Enters: (N, S, S) uint8 pictures and their masks. Leaves: as many healed ones.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from brainlens.core.progress import track
from brainlens.core.seeding import generator
from brainlens.data.painting import Hole, filled, fitted, hole_of, seen
from brainlens.data.preprocess import Array

_DONORS = 48  # other slices tried for each hole


def healed(pictures: Array, masks: Array, donors: Array, *, seed: int) -> Array:
    """Each picture with its masked part painted out; the picture itself where no slice fits.

    `donors` numbers the pictures that show no tumour but inside their masks.
    """
    made = np.array(pictures)
    for i in track(range(len(pictures)), "painting tumours out", len(pictures)):
        draw = generator(seed, "healing", i)
        if masks[i].any():
            made[i] = _paint(i, hole_of(masks[i] > 127), pictures, masks, donors, draw)
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
            made[i] = _paint(i, hole_of(place), pictures, masks, donors, draw)
            break
    return made


def _paint(
    i: int, hole: Hole, pictures: Array, masks: Array, donors: Array, draw: np.random.Generator
) -> Array:
    """Picture `i` with its hole filled from the slice that fits its ring best."""
    target = pictures[i][hole.window].astype(np.float32)
    best: tuple[float, Array] | None = None
    others = draw.choice(donors, min(_DONORS, len(donors)), replace=False)
    tried = [(int(j), bool(draw.random() < 0.5)) for j in others if j != i]
    for j, mirrored in [(i, True)] * bool((donors == i).any()) + tried:
        patch, sick = (seen(stack[j], hole.window, mirrored) for stack in (pictures, masks))
        if (sick[hole.inside | hole.ring] > 127).any():
            continue
        patch, misfit = fitted(patch.astype(np.float32), target, hole.ring)
        if best is None or misfit < best[0]:
            best = misfit, patch
    return np.array(pictures[i]) if best is None else filled(pictures[i], hole, best[1])
