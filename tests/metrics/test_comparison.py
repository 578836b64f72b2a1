"""Two models on one test: the tests agree with hand arithmetic and with a second implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from brainlens.metrics.comparison import Difference, compare, holm, mcnemar, shown
from brainlens.metrics.resampling import group_draws


def test_mcnemar_by_hand() -> None:
    # 1 against 5: 2 (C(6,0) + C(6,1)) / 2^6 = 14 / 64.
    assert mcnemar(1, 5) == mcnemar(5, 1) == pytest.approx(14 / 64)
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(3, 3) == 1.0
    assert mcnemar(0, 10) == pytest.approx(2 / 1024)


@given(st.integers(0, 60), st.integers(0, 60))
@settings(deadline=None, max_examples=60)
def test_mcnemar_is_scipy_s_binomial_test(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, abs=1e-12)


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04: times 4, 3, 2, 1, and never falling.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
def test_holm_rejects_what_the_step_down_procedure_rejects(p: list[float]) -> None:
    alpha = 0.05
    rejected = [False] * len(p)
    for rank, number in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if min(1.0, p[number] * (len(p) - rank)) > alpha:
            break
        rejected[number] = True
    assert [value <= alpha for value in holm(p)] == rejected


def test_a_difference_by_hand() -> None:
    first = np.array([1, 1, 1, 0, 1, 0])
    second = np.array([1, 0, 1, 1, 0, 0])
    found = compare(first, second, np.arange(6))
    assert found.value == pytest.approx(1 / 6)
    assert (found.only_first, found.only_second) == (2, 1)
    assert found.p_mcnemar == 1.0


def test_the_interval_is_a_loop_over_resampled_groups() -> None:
    generator = np.random.default_rng(3)
    group = generator.integers(0, 12, 80)
    group[:12] = np.arange(12)
    first, second = generator.random(80) < 0.8, generator.random(80) < 0.6
    found = compare(first, second, group, resamples=300, seed=5)
    means = []
    for draw in group_draws(12, 300, 5):
        chosen = np.concatenate([np.repeat(np.flatnonzero(group == g), int(draw[g]))
                                 for g in range(12)])  # fmt: skip
        means.append(first[chosen].mean() - second[chosen].mean())
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, (0.025, 0.975))))
    tail = min((np.array(means) <= 0).sum(), (np.array(means) >= 0).sum()) + 1
    assert found.p_bootstrap == pytest.approx(min(1, 2 * tail / 301))
    half = compare(first, second, group, resamples=300, seed=5, level=0.5)
    assert (half.low, half.high) == pytest.approx(tuple(np.quantile(means, (0.25, 0.75))))
    stated = compare(first, second, group, resamples=2000, level=0.95, seed=0)
    assert compare(first, second, group) == stated


def test_either_tail_may_be_the_smaller_one() -> None:
    """Twice the smaller tail, the observed sample counted in both."""
    first, second = np.array([1, 1, 1, 1, 1, 0]), np.array([0, 0, 0, 0, 0, 1])
    group = np.arange(6)
    found = compare(first, second, group, resamples=500)
    turned = compare(second, first, group, resamples=500)
    assert found.p_bootstrap == turned.p_bootstrap < 0.5


def test_two_groups_have_an_interval() -> None:
    found = compare(np.array([1, 1]), np.array([0, 1]), np.array([0, 1]), resamples=400)
    assert (found.low, found.high) == (0.0, 1.0)


def test_equal_models_are_never_told_apart() -> None:
    right = np.random.default_rng(0).random(50) < 0.7
    found = compare(right, right, np.arange(50))
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert found.p_bootstrap == found.p_mcnemar == 1.0
    assert shown(found, found.p_mcnemar, found.p_bootstrap) == ""


def test_one_group_shows_nothing() -> None:
    found = compare(np.ones(30), np.zeros(30), np.zeros(30, int))
    assert found.low is None
    assert found.p_bootstrap == 1.0
    assert shown(found, found.p_mcnemar, found.p_bootstrap) == ""


@pytest.mark.parametrize(
    ("value", "p", "q", "said"),
    [(0.1, 0.01, 0.01, "first"), (-0.1, 0.01, 0.01, "second"), (0.1, 0.01, 0.2, ""),
     (0.1, 0.2, 0.01, ""), (0.1, 0.05, 0.01, ""), (0.1, 0.01, 0.05, "")],
)  # fmt: skip
def test_better_needs_both_tests(value: float, p: float, q: float, said: str) -> None:
    assert shown(Difference(value, None, None, q, 5, 1, p), p, q) == said


def false_alarms(*, studies: int = 200) -> tuple[float, float]:
    """How often two equally good models look different: McNemar, and the bootstrap over groups.

    30 patients of 10 slices, of which one model or the other gets the whole patient right.
    """
    generator = np.random.default_rng(1)
    group = np.repeat(np.arange(30), 10)
    counts = np.zeros(2)
    for _ in range(studies):
        first = np.repeat(generator.random(30) < 0.5, 10)
        found = compare(first, ~first, group, resamples=400)
        counts += [found.p_mcnemar < 0.05, found.p_bootstrap < 0.05]
    return float(counts[0] / studies), float(counts[1] / studies)


def test_slices_of_one_patient_fool_mcnemar_and_not_the_bootstrap_over_patients() -> None:
    mcnemar_alarms, bootstrap_alarms = false_alarms()
    assert mcnemar_alarms > 0.3
    assert bootstrap_alarms < 0.12
