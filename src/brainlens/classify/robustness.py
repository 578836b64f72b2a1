"""Owns a model's figures on poor scans: the same test pictures, harmed more and more.

Enters: a loaded model, its (N, S, S) uint8 test pictures, their classes and groups. Leaves: one
row a degradation and severity, with intervals over groups; row 0 of each curve is unharmed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from brainlens.classify.inference import probabilities
from brainlens.classify.network import Loaded
from brainlens.core.progress import say
from brainlens.data.degrade import DEGRADATIONS, degraded
from brainlens.data.preprocess import Array
from brainlens.metrics import classification
from brainlens.metrics.resampling import group_draws, interval, perfect_interval

RESAMPLES, LEVEL, SEED = 1000, 0.95, 0


def degradation_curves(
    model: Loaded, pictures: Array, true: Array, group: Array, table: Array
) -> list[dict[str, Any]]:
    """Accuracy by severity; `table` is (N, K), the probabilities of the unharmed pictures."""
    whole = _figures(true, group, table)
    curves = []
    for name, row in DEGRADATIONS.items():
        say(f"degrading: {name}")
        points = [{"severity": None, **whole}]
        for severity in row.severities:
            harmed = degraded(np.asarray(pictures), name, severity)
            points.append(
                {"severity": severity, **_figures(true, group, probabilities(model, harmed))}
            )
        curves.append({"name": name, "unit": row.unit, "why": row.why, "points": points})
    return curves


def _figures(true: Array, group: Array, table: Array) -> dict[str, Any]:
    """Accuracy and balanced accuracy with their intervals."""
    k = table.shape[1]
    by_group = classification.confusion_by_group(true, table.argmax(1), group, k)
    draws = group_draws(len(by_group), RESAMPLES if len(by_group) > 1 else 0, SEED)
    confusion = np.tensordot(np.vstack([np.ones(len(by_group)), draws]), by_group, 1)
    sensitivity = classification.sensitivity(confusion)
    values = {
        "accuracy": classification.accuracy(confusion),
        "balanced_accuracy": classification.mean_over_classes(sensitivity),
    }
    figures = {}
    for name, column in values.items():
        value = float(column[0])
        bounds = interval(column[1:], LEVEL)
        if bounds and bounds[0] == bounds[1] and value in (0.0, 1.0):
            bounds = perfect_interval(value, len(by_group), LEVEL)
        low, high = bounds or (None, None)
        figures[name] = {"value": value, "low": low, "high": high}
    return figures
