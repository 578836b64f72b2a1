"""A forest finds what scikit-learn's finds, and a tree the split that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from brainlens.core.seeding import generator
from brainlens.data.forest import BINS, alone, binned, forest


def test_bins_keep_the_order_and_equal_numbers_together() -> None:
    x = np.array([[3.0, 1.0], [1.0, 1.0], [2.0, 5.0], [3.0, 1.0]])
    assert binned(x).tolist() == [[2, 0], [0, 0], [1, 1], [2, 0]]
    many = generator("bins").normal(size=(1000, 1))
    bins = binned(many)[:, 0]
    assert set(bins.tolist()) == set(range(BINS))
    assert (np.diff(bins[many[:, 0].argsort()]) >= 0).all()
    assert np.bincount(bins).min() >= 1000 // BINS - 2


def test_one_split_is_the_one_that_parts_the_classes() -> None:
    x = np.repeat(np.arange(4.0), 10)[:, None]  # ten images of each of four sizes
    y = (x[:, 0] > 1).astype(np.int64)
    bins = binned(x)
    tree = alone(bins.T[:, :, None], y, 2, depth=1)
    assert (tree.features[0].tolist(), tree.limits[0].tolist()) == ([[0]], [[1]])
    assert tree.shares.tolist() == [[[1.0, 0.0], [0.0, 1.0]]]


def test_classes_count_alike_however_rare() -> None:
    y = np.array([0] * 90 + [1] * 10)
    tree = alone(np.zeros((1, 100, 1), np.int64), y, 2, depth=2)
    assert tree.classes(np.zeros((1, 1, 1), np.int64))[0, 0] == pytest.approx([0.5, 0.5])


def test_too_few_images_are_no_side_of_a_split() -> None:
    x = np.arange(20.0)[:, None]
    y = np.array([1] * 2 + [0] * 18)  # the rare class weighs 5 each: 10 against 10
    y[1] = 0
    tree = alone(binned(x).T[:, :, None], np.zeros(20, np.int64), 2, depth=1)
    assert tree.limits[0].tolist() == [[BINS]]  # one class alone: nothing to part


@pytest.mark.parametrize("classes", [2, 4])
def test_a_forest_is_as_good_as_scikit_learns(classes: int) -> None:
    from sklearn.ensemble import RandomForestClassifier

    random = generator("forest", classes)
    x = random.normal(size=(1500, 6))
    # A rule of two features that no single one tells, and noise.
    y = ((x[:, 0] > 0).astype(int) + 2 * (x[:, 1] * x[:, 2] > 0)) % classes
    y = np.where(random.random(1500) < 0.1, random.integers(classes, size=1500), y)
    bins = binned(x)
    train, test = np.arange(1000), np.arange(1000, 1500)
    ours = forest(bins[train], y[train], classes, trees=20, depth=7, random=generator("grown"))
    seen = np.broadcast_to(bins[test], (20, 500, 6))
    right = (ours.classes(seen).mean(0).argmax(1) == y[test]).mean()
    oracle = RandomForestClassifier(
        20, min_samples_leaf=5, class_weight="balanced", random_state=0
    ).fit(x[train], y[train])
    assert right == pytest.approx(oracle.score(x[test], y[test]), abs=0.05)
    assert right > 1.5 / classes
