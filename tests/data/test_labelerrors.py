"""Confident learning names the planted wrong labels, and agrees with cleanlab."""

from __future__ import annotations

import numpy as np
import pytest

from brainlens.data.labelerrors import confident_joint, label_error_candidates

# cleanlab 2.9.0 on `example(60, 3)` and `example(50, 2)`: find_label_issues(given, p,
# filter_by="confident_learning", return_indices_ranked_by="normalized_margin") and
# compute_confident_joint(given, p, calibrate=False).
CLEANLAB = [
    (60, 3, [7, 35, 42, 14, 3, 59, 51, 0, 11, 44, 18, 1, 16, 13, 8],
     [[11, 4, 1], [4, 11, 2], [1, 3, 9]]),
    (50, 2, [42, 28, 40, 27, 18, 36], [[13, 3], [3, 17]]),
]  # fmt: skip


def example(n: int, k: int) -> tuple[np.ndarray, list[int]]:
    """Probabilities (n, k) of a fair model, and labels of which every seventh is wrong."""
    i = np.arange(n)
    truth = i % k
    z = 2 * np.sin(1.7 * i[:, None] + 2.3 * np.arange(k)) + 2.5 * (truth[:, None] == np.arange(k))
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    given = np.where(i % 7 == 0, (truth + 1 + i % 2) % k, truth)
    return p, [int(label) for label in given]


@pytest.mark.parametrize(("n", "k", "ranked", "joint"), CLEANLAB)
def test_candidates_and_their_order_are_those_of_cleanlab(
    n: int, k: int, ranked: list[int], joint: list[list[int]]
) -> None:
    p, given = example(n, k)
    assert [candidate.item for candidate in label_error_candidates(p, given)] == ranked
    assert confident_joint(p, given).tolist() == joint


def test_one_wrong_label_among_sure_ones_is_the_only_candidate() -> None:
    # By hand: thresholds are 0.9 and (0.9 + 0.9 + 0.05) / 3; item 5 reaches only class 0's.
    p = np.array([[0.9, 0.1]] * 3 + [[0.1, 0.9]] * 2 + [[0.95, 0.05]])
    (found,) = label_error_candidates(p, [0, 0, 0, 1, 1, 1])
    assert (found.item, found.given, found.guess) == (5, 1, 0)
    assert found.margin == pytest.approx((0.05 - 0.95 + 1) / 2)


def test_an_image_sure_of_no_class_is_no_candidate() -> None:
    p = np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9], [0.3, 0.4, 0.3]])
    # Class 0 has mean (0.9 + 0.3) / 2 = 0.6 for itself: item 3 reaches no threshold.
    assert label_error_candidates(p, [0, 1, 2, 0]) == []
    assert confident_joint(p, [0, 1, 2, 0]).sum() == 3


def test_a_class_that_no_image_is_given_is_never_guessed() -> None:
    p = np.array([[0.5, 0.4, 0.1], [0.4, 0.5, 0.1], [0.05, 0.05, 0.9]])
    assert confident_joint(p, [0, 1, 0])[:, 2].sum() == 0


@pytest.mark.parametrize(
    ("p", "given", "what"),
    [
        ([[0.5, 0.5]], [0, 1], "expected"),
        ([[1.0]], [0], "expected"),
        ([[0.5, 0.5]], [2], "2 classes"),
        ([[0.5, 0.2]], [0], "sum to one"),
        ([[float("nan"), 1.0]], [0], "finite"),
    ],
)
def test_what_is_no_table_of_probabilities_is_refused(
    p: list[list[float]], given: list[int], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        label_error_candidates(p, given)
