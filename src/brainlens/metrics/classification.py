"""Owns the figures of a classifier: confusion counts and probabilities in, numbers out.

Everything here takes weights or counts, so that a bootstrap over groups is one matrix product and
not a loop. `confusion` is (..., K, K), rows true, columns predicted; undefined figures are NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def confusion_by_group(true: Array, predicted: Array, group: Array, k: int) -> Array:
    """(G, K, K) counts of each group, from (N,) classes and (N,) group numbers 0..G-1."""
    table = np.zeros((int(group.max()) + 1, k, k))
    np.add.at(table, (group, true, predicted), 1)
    return table


def _ratio(part: Array, whole: Array) -> Array:
    """part / whole, NaN where the whole is nothing."""
    result = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def accuracy(confusion: Array) -> Array:
    """Share of images answered correctly."""
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    return _ratio(hits, confusion.sum((-2, -1)))


def sensitivity(confusion: Array) -> Array:
    """(..., K) share of each class that is found (recall)."""
    return _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(-1))


def precision(confusion: Array) -> Array:
    """(..., K) share of each answer that is right (positive predictive value)."""
    return _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(-2))


def specificity(confusion: Array) -> Array:
    """(..., K) share of the other classes' images not called this class."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    others = confusion.sum((-2, -1))[..., None] - confusion.sum(-1)
    false_alarms = confusion.sum(-2) - hits
    return _ratio(others - false_alarms, others)


def f1(confusion: Array) -> Array:
    """(..., K) harmonic mean of precision and sensitivity; 0 where a class is only missed."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return _ratio(2 * hits, confusion.sum(-1) + confusion.sum(-2))


def mean_over_classes(values: Array) -> Array:
    """(..., K) to (...): the plain mean of the defined classes."""
    defined = ~np.isnan(values)
    total = np.where(defined, values, 0).sum(-1)
    return _ratio(total, defined.sum(-1).astype(float))


def auroc(score: Array, positive: Array, weight: Array) -> Array:
    """Area under the ROC curve, (B,), of (N,) scores for each row of (B, N) weights.

    The chance that a positive outranks a negative, ties half; NaN without both.
    """
    order = np.argsort(score, kind="stable")
    score, positive, weight = score[order], positive[order], weight[:, order]
    starts = np.flatnonzero(np.r_[True, np.diff(score) > 0])  # first of each run of ties
    up = np.add.reduceat(weight * positive, starts, axis=1)
    down = np.add.reduceat(weight * ~positive, starts, axis=1)
    below = np.cumsum(down, axis=1) - down
    wins = (up * (below + down / 2)).sum(1)
    return _ratio(wins, up.sum(1) * down.sum(1))
