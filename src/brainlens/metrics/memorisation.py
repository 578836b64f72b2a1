"""Owns the test for copying: are made pictures nearer to the training set than unseen real ones?

After Meehan, Chaudhuri and Dasgupta 2020 (arXiv 2004.05675): of a made and a held-out picture,
which lies nearer to the training set? A generator that has learned the kind of picture is nearer
half of the time; one that copies always. Arrays in, numbers out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlens.metrics.fidelity import Figure
from brainlens.metrics.resampling import group_draws, interval

Array = np.ndarray[Any, Any]
LEVEL = 0.99  # of the intervals: a generator is not accused lightly


@dataclass(frozen=True)
class Nearness:
    """How often a made picture is the nearer one, ties counted half."""

    share: Figure
    beyond: float  # share of made pictures nearer than all but 1 % of held-out ones

    @property
    def suspicious(self) -> bool:
        """Whether it is more often than by chance."""
        return self.share.low is not None and self.share.low > 0.5


def nearness(
    made: Array, held: Array, group: Array, *, resamples: int = 1000, seed: int = 0
) -> Nearness:
    """Compare (N,) made with (M,) held-out values, larger being nearer; held ones in groups."""
    above = (made[:, None] > held).astype(float) + 0.5 * (made[:, None] == held)  # (N, M)
    u = group_draws(len(made), resamples, seed)
    v = group_draws(int(group.max()) + 1, resamples, seed + 1)[:, group]
    values = ((u @ above) * v).sum(1) / (u.sum(1) * np.maximum(v.sum(1), 1))
    low, high = interval(values, LEVEL) or (None, None)
    beyond = float((made > np.quantile(held, 0.99)).mean())
    return Nearness(Figure(float(above.mean()), low, high), beyond)
