"""The question of harmonising and the classifier: what counts as right, and how it is counted."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.style_verdict import AS_IS, CHANGED, compared, right

LABELS = ("glioma", "none", "pituitary")


def test_of_a_tumour_without_a_type_any_type_is_right() -> None:
    table = np.array([[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7], [0.5, 0.4, 0.1]])
    assert right(table, ["tumour", "tumour", "glioma", "none"], LABELS).tolist() == [1, 0, 0, 0]


def test_figures_and_their_paired_difference_by_hand() -> None:
    truth, groups = ["tumour", "tumour", "none", "none"], ["a", "a", "b", "c"]
    before = np.array([[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.1, 0.9, 0.0], [0.7, 0.3, 0.0]])
    after = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.1, 0.9, 0.0], [0.1, 0.9, 0.0]])
    found = compared({AS_IS: before, CHANGED: after}, truth, groups, LABELS, seed=0)
    values = {arm: {key: one["value"] for key, one in own.items()} for arm, own in found.items()}
    # Tumour scores before: 0.7, 0.2 for the ill, 0.1, 0.7 for the well: of four pairs 0.7 > 0.1,
    # 0.7 = 0.7 (a half), 0.2 > 0.1 are won.
    assert values[AS_IS] == pytest.approx(
        {"accuracy": 0.5, "sensitivity": 0.5, "specificity": 0.5, "auroc": 2.5 / 4}
    )
    assert values[CHANGED] == pytest.approx(
        {"accuracy": 1, "sensitivity": 1, "specificity": 1, "auroc": 1}
    )
    assert values["difference"] == pytest.approx(
        {"accuracy": 0.5, "sensitivity": 0.5, "specificity": 0.5, "auroc": 1.5 / 4}
    )
