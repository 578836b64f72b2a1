"""Intervals come from whole groups, and so they hold what they promise on clustered images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from brainlens.metrics.classification import accuracy
from brainlens.metrics.resampling import group_draws, interval, perfect_interval

Array = np.ndarray[Any, Any]


@given(st.integers(1, 60), st.integers(0, 20), st.integers(0, 2**32))
@settings(deadline=None, max_examples=40)
def test_every_resample_draws_as_many_groups_as_there_are(
    groups: int, resamples: int, seed: int
) -> None:
    draws = group_draws(groups, resamples, seed)
    assert draws.shape == (resamples, groups)
    assert_array_equal(draws.sum(1), np.full(resamples, groups))
    assert (draws == draws.round()).all()
    assert (draws >= 0).all()


def test_draws_depend_on_the_seed_alone() -> None:
    assert_array_equal(group_draws(12, 30, seed=4), group_draws(12, 30, seed=4))
    assert (group_draws(12, 30, seed=4) != group_draws(12, 30, seed=5)).any()


def test_every_group_is_drawn_once_a_resample_on_average() -> None:
    # Mean of 4000 draws of variance (1 - 1 / 8): standard error 0.015.
    assert_allclose(group_draws(8, 4000, seed=0).mean(0), np.ones(8), atol=0.075)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_an_interval_is_the_percentiles_of_the_defined_resamples(level: float) -> None:
    values = np.random.default_rng(0).normal(size=500)
    holed = np.insert(values, [0, 100, 500], np.nan)
    edges = ((1 - level) / 2 * 100, (1 + level) / 2 * 100)
    assert_allclose(interval(values, level) or (), np.percentile(values, edges))
    assert_allclose(interval(holed, level) or (), np.percentile(values, edges))


def test_an_interval_by_hand() -> None:
    # 0, 1, ..., 100: the value at 2.5 % and at 97.5 % of the way.
    assert_allclose(interval(np.arange(101.0)[::-1]) or (), (2.5, 97.5))


def test_two_resamples_are_the_fewest_that_span_an_interval() -> None:
    assert interval(np.array([0.2, 0.4]), level=1.0) == pytest.approx((0.2, 0.4))
    assert interval(np.array([0.2])) is None


def test_a_figure_that_is_undefined_in_all_resamples_has_no_interval() -> None:
    assert interval(np.full(20, np.nan)) is None
    assert interval(np.array([])) is None
    assert interval(np.array([np.nan, 0.5])) is None


def coverage(*, of_groups: bool, truth: float = 0.8, studies: int = 300) -> float:
    """Share of simulated test sets whose interval for the accuracy holds the true accuracy.

    40 patients of 10 slices; a patient's slices are mostly right or mostly wrong together.
    """
    patients, slices = 40, 10
    groups = patients if of_groups else patients * slices
    draws = group_draws(groups, 400, seed=0)
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(studies):
        ease = generator.beta(2 * truth, 2 * (1 - truth), patients)  # mean: truth
        right = generator.binomial(1, np.repeat(ease, slices)).reshape(groups, -1).sum(1)
        wrong = slices * patients // groups - right
        # Two classes, all images of the first: hits and misses are its row of the confusion.
        confusion = np.zeros((400, 2, 2))
        confusion[:, 0] = draws @ np.stack([right, wrong], 1)
        bounds = interval(accuracy(confusion))
        assert bounds is not None
        held += bounds[0] <= truth <= bounds[1]
    return held / studies


def test_intervals_over_groups_hold_the_truth_as_often_as_they_say() -> None:
    assert 0.90 <= coverage(of_groups=True) <= 0.98


def test_intervals_over_single_images_of_patients_hold_it_far_too_seldom() -> None:
    assert coverage(of_groups=False) < 0.80


def test_a_perfect_share_has_the_exact_interval_of_its_groups() -> None:
    low, high = perfect_interval(1.0, 20)
    assert high == 1.0
    assert low**20 == pytest.approx(0.025)  # the chance of 20 hits at the lower bound
    assert perfect_interval(0.0, 20) == pytest.approx((0.0, 1 - low))


def test_a_figure_undefined_in_most_resamples_has_no_interval() -> None:
    values = np.r_[np.full(70, 0.5), np.full(30, np.nan)]
    assert interval(values) is None
    assert interval(np.r_[np.full(90, 0.5), np.full(10, np.nan)]) == (0.5, 0.5)
