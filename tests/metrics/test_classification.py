"""Every figure equals scikit-learn's, absent classes included, and its resamples are real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import metrics

from brainlens.metrics import classification
from brainlens.metrics.resampling import group_draws

Array = np.ndarray[Any, Any]

K = 4
answers = st.lists(st.tuples(st.integers(0, K - 1), st.integers(0, K - 1)), min_size=1, max_size=40)


def counts(true: Array, predicted: Array) -> Array:
    """(K, K) our confusion, all images in one group."""
    group = np.zeros(len(true), dtype=int)
    return np.asarray(classification.confusion_by_group(true, predicted, group, K)[0])


def columns(pairs: list[tuple[int, int]]) -> tuple[Array, Array]:
    """Pairs of (true, predicted) as two arrays."""
    table = np.array(pairs)
    return table[:, 0], table[:, 1]


@given(answers)
@settings(deadline=None, max_examples=30)
def test_confusion_and_accuracy_equal_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    true, predicted = columns(pairs)
    assert_array_equal(
        counts(true, predicted), metrics.confusion_matrix(true, predicted, labels=range(K))
    )
    assert_allclose(
        classification.accuracy(counts(true, predicted)), metrics.accuracy_score(true, predicted)
    )


@given(answers)
@settings(deadline=None, max_examples=30)
def test_figures_of_each_class_equal_scikit_learns_and_are_nan_where_undefined(
    pairs: list[tuple[int, int]],
) -> None:
    true, predicted = columns(pairs)
    confusion = counts(true, predicted)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        true, predicted, labels=range(K), zero_division=np.nan
    )
    assert_allclose(classification.precision(confusion), precision)
    assert_allclose(classification.sensitivity(confusion), recall)
    assert_allclose(classification.f1(confusion), f1)
    assert_array_equal(np.isnan(classification.sensitivity(confusion)), support == 0)


@given(answers)
@settings(deadline=None, max_examples=30)
def test_specificity_is_the_recall_of_all_the_other_classes(pairs: list[tuple[int, int]]) -> None:
    true, predicted = columns(pairs)
    expected = [
        metrics.recall_score(true != c, predicted != c, zero_division=np.nan) for c in range(K)
    ]
    assert_allclose(classification.specificity(counts(true, predicted)), expected)


@given(answers)
@settings(deadline=None, max_examples=30)
def test_means_over_classes_leave_undefined_ones_out(pairs: list[tuple[int, int]]) -> None:
    true, predicted = columns(pairs)
    confusion = counts(true, predicted)
    balanced = metrics.recall_score(true, predicted, labels=np.unique(true), average="macro")
    known = np.union1d(true, predicted)
    macro_f1 = metrics.f1_score(true, predicted, labels=known, average="macro")
    mean = classification.mean_over_classes
    assert_allclose(mean(classification.sensitivity(confusion)), balanced)
    assert_allclose(mean(classification.f1(confusion)), macro_f1)


def test_balanced_accuracy_equals_scikit_learns_where_every_class_is_there() -> None:
    generator = np.random.default_rng(0)
    true, predicted = generator.permutation(np.arange(200) % K), generator.integers(0, K, 200)
    ours = classification.mean_over_classes(classification.sensitivity(counts(true, predicted)))
    assert_allclose(ours, metrics.balanced_accuracy_score(true, predicted))


def test_figures_of_nothing_are_undefined_and_not_zero() -> None:
    empty = np.zeros((K, K))
    assert np.isnan(classification.accuracy(empty))
    for figure in (
        classification.sensitivity,
        classification.specificity,
        classification.precision,
        classification.f1,
    ):
        assert np.isnan(figure(empty)).all()
        assert np.isnan(classification.mean_over_classes(figure(empty)))


def test_a_class_that_is_only_missed_has_f1_zero_by_hand() -> None:
    confusion = np.array([[3.0, 0.0], [2.0, 0.0]])  # class 1 is never answered
    assert_allclose(classification.f1(confusion), [2 * 3 / (3 + 5), 0.0])
    assert_allclose(classification.precision(confusion), [3 / 5, np.nan])


@pytest.mark.parametrize("name", ["accuracy", "sensitivity", "precision", "specificity", "f1"])
def test_a_stack_of_confusions_has_the_figures_of_each(name: str) -> None:
    figure = getattr(classification, name)
    stack = np.random.default_rng(0).integers(0, 9, (2, 3, K, K)).astype(float)
    for i, j in np.ndindex(2, 3):
        assert_array_equal(figure(stack)[i, j], figure(stack[i, j]))
    each = classification.precision(stack)  # (2, 3, K)
    means = classification.mean_over_classes(each)
    assert means.shape == (2, 3)
    assert_allclose(means[1, 2], classification.mean_over_classes(each[1, 2]))


def test_counts_of_groups_are_the_groups_own() -> None:
    true, predicted = np.array([0, 1, 1, 2, 0]), np.array([0, 1, 0, 2, 2])
    group = np.array([1, 0, 1, 0, 1])
    ours = classification.confusion_by_group(true, predicted, group, 3)
    for g in (0, 1):
        inside = group == g
        expected = metrics.confusion_matrix(true[inside], predicted[inside], labels=range(3))
        assert_array_equal(ours[g], expected)


scores = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 3)), min_size=2, max_size=40
)


@given(scores)
@settings(deadline=None, max_examples=40)
def test_auroc_equals_scikit_learns_with_ties_and_weights(
    rows: list[tuple[int, bool, int]],
) -> None:
    score, positive, weight = (np.array(column) for column in zip(*rows, strict=True))
    assume(weight[positive].sum() > 0)
    assume(weight[~positive].sum() > 0)
    ours = classification.auroc(score / 6, positive, weight[None].astype(float))
    used = weight > 0  # scikit-learn thresholds at every score, weighted or not
    expected = metrics.roc_auc_score(positive[used], score[used] / 6, sample_weight=weight[used])
    assert_allclose(ours, [expected])


def test_auroc_is_the_share_of_pairs_in_the_right_order_by_hand() -> None:
    score = np.array([0.9, 0.5, 0.5, 0.1])
    positive = np.array([True, True, False, False])
    # 0.9 beats both negatives, 0.5 ties with one (half) and beats one: 3.5 of 4 pairs.
    assert_allclose(classification.auroc(score, positive, np.ones((1, 4))), [3.5 / 4])


def test_auroc_without_positives_or_without_negatives_is_undefined() -> None:
    score, weight = np.array([0.2, 0.7, 0.7]), np.ones((1, 3))
    for positive in (np.ones(3, dtype=bool), np.zeros(3, dtype=bool)):
        assert np.isnan(classification.auroc(score, positive, weight)).all()
    unweighted_positive = np.array([[0.0, 1.0, 1.0]])
    only_first = np.array([True, False, False])
    assert np.isnan(classification.auroc(score, only_first, unweighted_positive)).all()


@pytest.mark.parametrize("resample", range(6))
def test_a_bootstrap_row_equals_the_figures_of_the_literally_resampled_images(
    resample: int,
) -> None:
    generator = np.random.default_rng(7)
    n, groups = 60, 9
    group = np.r_[np.arange(groups), generator.integers(0, groups, n - groups)]
    true = generator.integers(0, K, n)
    table = generator.dirichlet(np.ones(K), n).round(1)  # rounded, so that scores tie
    predicted = table.argmax(1)
    draws = group_draws(groups, 6, seed=1)

    by_group = classification.confusion_by_group(true, predicted, group, K)
    confusion = np.tensordot(draws, by_group, 1)[resample]
    area = classification.auroc(table[:, 0], true == 0, draws[:, group])[resample]

    # The literal resample: each group's images as often as the group was drawn.
    again = np.concatenate(
        [np.tile(np.flatnonzero(group == g), int(draws[resample, g])) for g in range(groups)]
    )
    t, p = true[again], predicted[again]
    assert_array_equal(confusion, metrics.confusion_matrix(t, p, labels=range(K)))
    assert_allclose(classification.accuracy(confusion), metrics.accuracy_score(t, p))
    expected = metrics.recall_score(t, p, labels=range(K), average=None, zero_division=np.nan)
    assert_allclose(classification.sensitivity(confusion), expected)
    assert_allclose(area, metrics.roc_auc_score(t == 0, table[again, 0]))
