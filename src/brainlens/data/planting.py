"""Owns planting: a tumour painted into a slice that shows none, the counterpart of healing.

In the public sets a tumour comes with the look of its source: contrast, scanner, framing. A planted
one comes with another's: healthy slices of other sources, or slices of the same whose own tumour
was painted out. Sometimes it is painted thinly, as faint tumours look. After CarveMix (Zhang et al.
2021), but with the tissue around the outline fitted and feathered as healing does it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from brainlens.data.painting import filled, fitted, hole_of, seen
from brainlens.data.preprocess import Array

_TRIED = 6  # tumours tried for each slice: few, so that it is not always the dullest that fits
_FAINTEST = 0.6  # share of the tumour that is painted, at least
_DARK = 25  # grey level: where the slice is darker, there is no head


class Planted(NamedTuple):
    """A slice (S, S) uint8 with a tumour painted in, its mask, and whose tumour it is."""

    picture: Array
    mask: Array
    origin: int


def plant(
    host: Array, pictures: Array, masks: Array, origins: Array, draw: np.random.Generator
) -> Planted | None:
    """The tumour that fits the host best of some; None where none fits inside its head.

    `origins` numbers the (N, S, S) pictures whose tumours, marked by their masks, may be taken.
    """
    best: tuple[float, Planted] | None = None
    strength = float(draw.uniform(_FAINTEST, 1))
    for j in map(int, draw.choice(origins, min(_TRIED, len(origins)), replace=False)):
        mirrored = bool(draw.random() < 0.5)
        mask = masks[j][:, ::-1] if mirrored else masks[j]
        hole = hole_of(mask > 127)
        target = host[hole.window].astype(np.float32)
        if np.median(target[hole.inside]) < _DARK:
            continue
        patch = seen(pictures[j], hole.window, mirrored).astype(np.float32)
        patch, misfit = fitted(patch, target, hole.ring)
        if best is None or misfit < best[0]:
            best = misfit, Planted(filled(host, hole, patch, strength), mask, j)
    return best[1] if best else None
