"""Owns the comparison of two classifiers on the same test images. Arrays in, numbers out.

McNemar 1947, exact: of the images that only one of the two gets right, is the share a coin's?
It takes images for independent. The paired bootstrap over groups does not: it resamples whole
patients or twin clusters (Field and Welsh 2007). Several pairs: Holm 1979.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlens.metrics.resampling import group_draws, interval

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Difference:
    """How much more of the images the first classifier gets right than the second."""

    value: float  # difference of the accuracies
    low: float | None  # of its interval over groups
    high: float | None
    p_bootstrap: float  # two-sided, that the difference is 0
    only_first: int  # images that the first alone gets right
    only_second: int
    p_mcnemar: float  # two-sided, exact


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of McNemar's test, from the images that one alone gets right."""
    from scipy.stats import binom  # half a second that a page without a comparison need not wait

    discordant = only_first + only_second
    if not discordant:
        return 1.0
    return float(min(1.0, 2 * binom.cdf(min(only_first, only_second), discordant, 0.5)))


def compare(
    first: Array, second: Array, group: Array, *, resamples: int = 2000, level: float = 0.95,
    seed: int = 0,
) -> Difference:  # fmt: skip
    """Compare two (N,) arrays of right answers, of images in (N,) groups 0..G-1."""
    gain = first.astype(float) - second.astype(float)
    groups = int(group.max()) + 1
    gains = np.bincount(group, gain, groups)  # (G,)
    images = np.bincount(group, minlength=groups).astype(float)
    # One group has no spread of its own: no interval, and nothing can be shown.
    draws = group_draws(groups, resamples if groups > 1 else 0, seed)  # (B, G)
    means = (draws @ gains) / np.where((size := draws @ images) > 0, size, np.nan)
    low, high = interval(means, level) or (None, None)
    only_first, only_second = int((gain > 0).sum()), int((gain < 0).sum())
    return Difference(
        value=float(gain.mean()),
        low=low,
        high=high,
        p_bootstrap=_two_sided(means),
        only_first=only_first,
        only_second=only_second,
        p_mcnemar=mcnemar(only_first, only_second),
    )


def _two_sided(differences: Array) -> float:
    """Twice the smaller tail beyond 0; the observed sample counts as one (Davison and Hinkley)."""
    tails = [((differences <= 0).sum() + 1), ((differences >= 0).sum() + 1)]
    return float(min(1.0, 2 * min(tails) / (differences.size + 1)))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p of a family of tests, in the order given."""
    order = np.argsort(p, kind="stable")
    adjusted = [0.0] * len(p)
    worst = 0.0
    for place, number in enumerate(order):
        worst = max(worst, min(1.0, p[number] * (len(p) - place)))
        adjusted[number] = worst
    return adjusted


def shown(difference: Difference, p_mcnemar: float, p_bootstrap: float, alpha: float = 0.05) -> str:
    """What the corrected tests allow to say: "first", "second", or "" for neither.

    Both must agree: McNemar's test overlooks that images of one patient go together.
    """
    if p_mcnemar >= alpha or p_bootstrap >= alpha:
        return ""
    return "first" if difference.value > 0 else "second"
