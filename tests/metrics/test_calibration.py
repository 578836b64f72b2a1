"""The calibration error equals torchmetrics' and hand arithmetic; the bins lose no image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torchmetrics.functional.classification import multiclass_calibration_error

from brainlens.metrics.calibration import bin_of, expected_calibration_error, reliability

Array = np.ndarray[Any, Any]


def judged(n: int, k: int, seed: int) -> tuple[Array, Array]:
    """(N, K) probabilities and (N,) classes that they guess more or less well."""
    generator = np.random.default_rng(seed)
    table = generator.dirichlet(np.full(k, 0.5), n)
    guess = table.argmax(1)
    true = np.where(generator.random(n) < 0.7, guess, generator.integers(0, k, n))
    return table, true


def error(table: Array, true: Array, weight: Array | None = None, bins: int = 10) -> Array:
    """Our calibration error of (N, K) probabilities."""
    correct = (table.argmax(1) == true).astype(float)
    weight = np.ones((1, len(true))) if weight is None else weight
    return expected_calibration_error(table.max(1), correct, weight, bins)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("k", "bins"), [(2, 10), (4, 10), (4, 15)])
def test_calibration_error_equals_that_of_torchmetrics(seed: int, k: int, bins: int) -> None:
    table, true = judged(300, k, seed)
    expected = multiclass_calibration_error(
        torch.from_numpy(table), torch.from_numpy(true), num_classes=k, n_bins=bins, norm="l1"
    )
    assert_allclose(error(table, true, bins=bins), [float(expected)], atol=1e-6)


def test_calibration_error_by_hand() -> None:
    # Bin (0.8, 0.9]: two images, mean confidence 0.85, one right: gap 0.35.
    # Bin (0.6, 0.7]: two images, mean confidence 0.65, both right: gap 0.35.
    # Bin (0.9, 1]: one image, confidence 1, right: gap 0. In all (2 * 0.35 + 2 * 0.35) / 5.
    confidence = np.array([0.82, 0.88, 0.63, 0.67, 1.0])
    correct = np.array([1.0, 0.0, 1.0, 1.0, 1.0])
    ours = expected_calibration_error(confidence, correct, np.ones((1, 5)))
    assert_allclose(ours, [0.28])


def test_a_weight_counts_as_that_many_copies_of_an_image() -> None:
    table, true = judged(50, 3, seed=9)
    weight = np.random.default_rng(1).integers(0, 4, 50)
    again = np.repeat(np.arange(50), weight)
    assert_allclose(
        error(table, true, weight[None].astype(float)), error(table[again], true[again])
    )


@pytest.mark.parametrize("edge", range(1, 11))
def test_a_confidence_on_an_edge_belongs_to_the_bin_below(edge: int) -> None:
    below, above = np.nextafter(edge / 10, 0), np.nextafter(edge / 10, 2)
    assert_array_equal(bin_of(np.array([below, edge / 10])), [edge - 1, edge - 1])
    if edge < 10:
        assert_array_equal(bin_of(np.array([above])), [edge])


def test_no_confidence_falls_out_of_the_bins() -> None:
    assert_array_equal(bin_of(np.array([0.0, 1.0])), [0, 9])


def test_the_bins_are_as_many_and_as_wide_as_asked() -> None:
    rows = reliability(np.array([0.1, 0.3, 1.0]), np.array([0.0, 1.0, 1.0]), bins=4)
    assert [(row["low"], row["high"], row["count"]) for row in rows] == [
        (0, 0.25, 1), (0.25, 0.5, 1), (0.5, 0.75, 0), (0.75, 1, 1),
    ]  # fmt: skip
    assert len(reliability(np.array([0.5]), np.array([1.0]))) == 10


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
@settings(deadline=None, max_examples=40)
def test_the_rows_of_reliability_hold_every_image_once_and_add_up_to_the_error(
    images: list[tuple[float, bool]],
) -> None:
    confidence, right = (np.array(column) for column in zip(*images, strict=True))
    correct = right.astype(float)
    rows = reliability(confidence, correct)
    assert sum(int(row["count"] or 0) for row in rows) == len(images)
    total = 0.0
    for row in rows:
        if row["count"]:
            assert row["confidence"] is not None
            assert row["accuracy"] is not None
            assert row["low"] is not None
            assert row["high"] is not None
            assert row["low"] - 1e-12 <= row["confidence"] <= row["high"] + 1e-12
            total += row["count"] * abs(row["confidence"] - row["accuracy"]) / len(images)
        else:
            assert row["confidence"] is None
            assert row["accuracy"] is None
    ours = expected_calibration_error(confidence, correct, np.ones((1, len(images))))
    assert_allclose(ours, [total], atol=1e-12)
