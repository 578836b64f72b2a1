"""Owns intervals: the bootstrap over groups (patients, twin clusters), never over single images.

Images of one group are not independent; resampling whole groups keeps an interval honest
(Field and Welsh 2007, the cluster bootstrap).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def group_draws(groups: int, resamples: int, seed: int) -> Array:
    """(B, G) how often each group is drawn in each resample of G groups with replacement."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(groups, np.full(groups, 1 / groups), size=resamples).astype(float)


def interval(values: Array, level: float = 0.95) -> tuple[float, float] | None:
    """The percentile interval of a figure's (B,) resampled values; None where undefined.

    Resamples in which the figure is undefined (a class not drawn) are left out.
    """
    defined = values[~np.isnan(values)]
    if defined.size < 2:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
