"""Owns intervals: the bootstrap over groups (patients, twin clusters), never over single images.

Images of one group are not independent; resampling whole groups keeps an interval honest
(Field and Welsh 2007, the cluster bootstrap).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


_UNDEFINED = 0.2  # share of resamples; 0.14 with two groups, 0.37 with one


def group_draws(groups: int, resamples: int, seed: int) -> Array:
    """(B, G) how often each group is drawn in each resample of G groups with replacement."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(groups, np.full(groups, 1 / groups), size=resamples).astype(float)


def interval(values: Array, level: float = 0.95) -> tuple[float, float] | None:
    """The percentile interval of a figure's (B,) resampled values; None where undefined.

    Resamples in which the figure is undefined (a class not drawn) are left out; where they are
    more than a fifth, so few groups carry the figure that no interval of it can be believed.
    """
    defined = values[~np.isnan(values)]
    if defined.size < 2 or defined.size < (1 - _UNDEFINED) * values.size:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def perfect_interval(value: float, groups: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share that is 0 or 1 in all groups, which no resample can widen.

    Clopper and Pearson 1934, a group counted as one trial.
    """
    tail = ((1 - level) / 2) ** (1 / groups)
    return (tail, 1.0) if value else (0.0, 1 - tail)
