"""Distances are those of geometry, and the limit keeps the share it promises."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from brainlens.metrics.novelty import distances, novelty, threshold


def test_distances_equal_scipy_s() -> None:
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=(7, 5)), draw.normal(size=(11, 5))
    np.testing.assert_allclose(distances(a, b), cdist(a, b), atol=1e-9)
    np.testing.assert_allclose(distances(a / 9, b / 9), cdist(a / 9, b / 9), atol=1e-9)


def test_novelty_is_the_mean_of_the_nearest_by_hand() -> None:
    apart = np.array([[5.0, 1.0, 3.0, 9.0], [2.0, 2.0, 2.0, 0.0]])
    assert novelty(apart, 2).tolist() == [2.0, 1.0]
    assert novelty(apart, 99).tolist() == [4.5, 1.5]
    many = np.random.default_rng(0).random((50, 40))
    np.testing.assert_allclose(novelty(many), np.sort(many, 1)[:, :5].mean(1))


def test_the_limit_leaves_the_promised_share_in() -> None:
    known = np.random.default_rng(1).random(400)
    assert (known <= threshold(known, 0.98)).mean() >= 0.98
    assert threshold(known, 1.0) == known.max()
    assert threshold(np.array([1.0, 2.0, 3.0]), 0.6) == 3.0  # between two: the higher
