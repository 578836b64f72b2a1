"""Owns the judgement of predictions: every figure of a classifier, each with its interval.

Enters: true classes, probabilities and groups. Leaves: plain data, as `metrics.json` holds it. The
figures come from classification and calibration; the intervals from drawing groups anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from brainlens.metrics import calibration, classification
from brainlens.metrics.resampling import group_draws, interval, perfect_interval

Array = np.ndarray[Any, Any]

RESAMPLES, LEVEL, SEED = 2000, 0.95, 0
BLOCK = 128  # resamples computed at once: memory stays at some 128 numbers an image


def judge(true: Array, table: Array, group: Array, labels: Sequence[str]) -> dict[str, Any]:
    """Every figure with its interval, of (N,) classes, (N, K) probabilities, (N,) groups."""
    k, predicted, confidence = len(labels), table.argmax(1), table.max(1)
    correct = (predicted == true).astype(float)
    by_group = classification.confusion_by_group(true, predicted, group, k)
    # One group has no spread of its own: no resamples, so no interval rather than one of width 0.
    draws = group_draws(len(by_group), RESAMPLES if len(by_group) > 1 else 0, SEED)
    # Row 0 is the figure itself, the others its resamples: one way to compute both.
    weights = np.vstack([np.ones(len(by_group)), draws])  # (1 + B, G)
    parts = [
        _resampled(block, by_group, table, true, group)
        for block in np.array_split(weights, -(-len(weights) // BLOCK))
    ]
    overall, each = (
        {name: np.concatenate([part[i][name] for part in parts]) for name in parts[0][i]}
        for i in (0, 1)
    )

    def carrying(c: int, name: str) -> int:
        """How many groups a class's figure stands on: specificity is about the other classes."""
        return len(np.unique(group[true != c if name == "specificity" else true == c])) or 1

    return {
        "metrics": {name: _figure(values, len(by_group)) for name, values in overall.items()},
        "per_class": {
            label: {
                "support": int((true == c).sum()),
                **{name: _figure(values[:, c], carrying(c, name)) for name, values in each.items()},
            }
            for c, label in enumerate(labels)
        },
        "confusion": by_group.sum(0).astype(int).tolist(),
        "reliability": calibration.reliability(confidence, correct),
    }


def _resampled(
    weights: Array, by_group: Array, table: Array, true: Array, group: Array
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Overall figures (B,) and those of each class (B, K), under (B, G) weights of the groups."""
    confusion = np.tensordot(weights, by_group, 1)  # (B, K, K)
    weight = weights[:, group]  # (B, N)
    area = np.stack(
        [classification.auroc(table[:, c], true == c, weight) for c in range(table.shape[1])], 1
    )  # (B, K)
    each = {
        "sensitivity": classification.sensitivity(confusion),
        "specificity": classification.specificity(confusion),
        "precision": classification.precision(confusion),
        "f1": classification.f1(confusion),
        "auroc": area,
    }
    mean = classification.mean_over_classes
    correct = (table.argmax(1) == true).astype(float)
    overall = {
        "accuracy": classification.accuracy(confusion),
        "balanced_accuracy": mean(each["sensitivity"]),
        "macro_f1": mean(each["f1"]),
        "macro_auroc": mean(area),
        "ece": calibration.expected_calibration_error(table.max(1), correct, weight),
    }
    return overall, each


def _figure(values: Array, groups: int) -> dict[str, float | None]:
    """Row 0 with the interval of the rest; None inside where the figure is undefined.

    `groups` is how many carry the figure, for one that is perfect (or nil) in all of them.
    """
    value = float(values[0])
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    bounds = interval(values[1:], LEVEL)
    if bounds and bounds[0] == bounds[1] and value in (0.0, 1.0):
        bounds = perfect_interval(value, groups, LEVEL)
    low, high = bounds or (None, None)
    return {"value": value, "low": low, "high": high}
