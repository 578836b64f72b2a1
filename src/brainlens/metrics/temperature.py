"""Owns the temperature of a classifier: one number that makes its probabilities mean what they say.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. And the scores of split conformal
prediction on the same held-out images: Sadinle, Lei, Wasserman, "Least Ambiguous Set-Valued
Classifiers with Bounded Error Levels", JASA 2019.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LEAST, MOST = 0.05, 20.0  # no sound temperature lies outside


def softmax(logits: Array, temperature: float = 1.0) -> Array:
    """(N, K) logits to probabilities."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(1, keepdims=True)
    exponentials = np.exp(scaled)
    return np.asarray(exponentials / exponentials.sum(1, keepdims=True))


def log_loss(logits: Array, true: Array, temperature: float = 1.0) -> float:
    """Mean negative log likelihood of the (N,) true classes."""
    p = softmax(logits, temperature)[np.arange(len(true)), true]
    return float(-np.log(np.maximum(p, 1e-300)).mean())


def fit_temperature(logits: Array, true: Array) -> float:
    """The temperature of least log loss, by golden section: the loss has one minimum."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log: log_loss(logits, true, math.exp(log)),
        bounds=(math.log(LEAST), math.log(MOST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return math.exp(float(found.x))


def conformity(probabilities: Array, true: Array) -> Array:
    """(N,) how strange each true class was to the model: one less its probability, sorted."""
    return np.sort(1 - probabilities[np.arange(len(true)), true])


def conformal_threshold(scores: Array, coverage: float) -> float:
    """The score up to which a class belongs to the set, for a marginal coverage in (0, 1).

    The ceil((n + 1) coverage)-th smallest of n scores; 1 (every class) where n is too small.
    """
    place = math.ceil((len(scores) + 1) * coverage)
    return float(scores[place - 1]) if place <= len(scores) else 1.0
