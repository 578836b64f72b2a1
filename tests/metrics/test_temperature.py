"""The temperature is the maximum-likelihood one; conformal sets cover as promised."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import log_loss as sklearn_log_loss

from brainlens.metrics.temperature import (
    conformal_threshold,
    conformity,
    fit_temperature,
    log_loss,
    softmax,
)


def drawn(images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and classes drawn by their own probabilities: perfectly calibrated."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (images, 4))
    p = softmax(logits)
    return logits, np.array([generator.choice(4, p=row) for row in p])


@pytest.mark.parametrize("overconfidence", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_overconfidence(overconfidence: float) -> None:
    logits, true = drawn(20_000, seed=1)
    assert fit_temperature(logits * overconfidence, true) == pytest.approx(overconfidence, rel=0.05)


def test_log_loss_agrees_with_scikit_learn() -> None:
    logits, true = drawn(50, seed=2)
    for temperature in (0.7, 1.0, 2.0):
        expected = sklearn_log_loss(true, softmax(logits, temperature), labels=range(4))
        assert log_loss(logits, true, temperature) == pytest.approx(expected)
    assert log_loss(logits, true) == log_loss(logits, true, 1.0)


def test_logits_of_any_size_have_probabilities() -> None:
    found = softmax(np.array([[1e4, 0.0], [-1e4, -1e4 - 1]]), 1.0)
    np.testing.assert_allclose(found, [[1, 0], [1 / (1 + np.exp(-1)), 1 / (1 + np.e)]])


def test_the_threshold_is_the_rank_of_the_finite_sample_rule() -> None:
    # n = 9: the ceil(10 x 0.8) = 8th smallest score; 95 % would need the 10th of 9.
    scores = conformity(np.eye(9)[::-1] * 0 + np.linspace(0, 1, 9)[:, None], np.zeros(9, int))
    np.testing.assert_allclose(scores, np.linspace(0, 1, 9))
    assert conformal_threshold(scores, 0.8) == pytest.approx(scores[7])
    assert conformal_threshold(scores, 0.95) == 1.0
    assert conformal_threshold(scores / 2, 0.9) == 0.5  # the ninth of nine, the last that there is


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_hold_the_true_class_as_often_as_promised(coverage: float) -> None:
    logits, true = drawn(6_000, seed=3)
    p = softmax(logits)
    limit = conformal_threshold(conformity(p[:3000], true[:3000]), coverage)
    inside = (1 - p[3000:] <= limit)[np.arange(3000), true[3000:]].mean()
    spread = 3 * math.sqrt(coverage * (1 - coverage) * (1 / 3000 + 1 / 3000))
    assert abs(inside - coverage) < spread


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier whose probabilities are the features themselves."""

    classes_ = np.arange(4)

    def fit(self, x: np.ndarray, y: np.ndarray) -> Given:
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return x

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x.argmax(1))


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("images", [40, 400])
def test_the_sets_are_those_of_mapie(coverage: float, images: int) -> None:
    logits, true = drawn(images + 200, seed=4)
    p = softmax(logits)
    held, asked = p[:images], p[images:]
    oracle = SplitConformalClassifier(
        Given().fit(held, true), confidence_level=coverage, conformity_score="lac", prefit=True
    )
    _, sets = oracle.conformalize(held, true[:images]).predict_set(asked)
    limit = conformal_threshold(conformity(held, true[:images]), coverage)
    assert np.array_equal(1 - asked <= limit, sets[:, :, 0])
