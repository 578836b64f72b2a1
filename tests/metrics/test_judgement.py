"""The figures of an evaluation are scikit-learn's, with intervals, and never invented."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import metrics

from brainlens.classify.evaluation import _leakage
from brainlens.data.crosscheck import Crosscheck
from brainlens.data.leakage import Kind, Leak
from brainlens.metrics.judgement import judge
from brainlens.metrics.resampling import perfect_interval

Array = np.ndarray[Any, Any]

LABELS = ["glioma", "meningioma", "none"]
PER_CLASS = ("sensitivity", "specificity", "precision", "f1", "auroc")
OVERALL = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "ece")

# Eight images of four patients; true classes, probabilities, patients.
TRUE = np.array([0, 0, 0, 1, 1, 1, 2, 2])
TABLE = np.array(
    [
        [0.7, 0.2, 0.1],
        [0.6, 0.3, 0.1],
        [0.2, 0.5, 0.3],  # wrong
        [0.1, 0.8, 0.1],
        [0.5, 0.4, 0.1],  # wrong
        [0.3, 0.6, 0.1],
        [0.1, 0.1, 0.8],
        [0.0, 0.1, 0.9],
    ]
)
GROUP = np.array([0, 0, 1, 1, 2, 2, 3, 3])


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    """What `judge` says of the eight images."""
    return judge(TRUE, TABLE, GROUP, LABELS)


def test_overall_figures_equal_scikit_learns_and_hand_arithmetic(figures: dict[str, Any]) -> None:
    found = {name: figure["value"] for name, figure in figures["metrics"].items()}
    answers = TABLE.argmax(1)
    # Confidences right: .7 .6 .8 .6 .8 .9, wrong: .5 .5. Bins of width 0.1, up to and with the
    # upper edge: (.4, .5] gap 2 * .5, (.5, .6] 2 * .4, .7: .3, (.7, .8] 2 * .2, .9: .1; of 8.
    expected = {
        "accuracy": metrics.accuracy_score(TRUE, answers),
        "balanced_accuracy": metrics.balanced_accuracy_score(TRUE, answers),
        "macro_f1": metrics.f1_score(TRUE, answers, average="macro"),
        "macro_auroc": metrics.roc_auc_score(TRUE, TABLE, multi_class="ovr"),
        "ece": (1.0 + 0.8 + 0.3 + 0.4 + 0.1) / 8,
    }
    assert tuple(found) == OVERALL
    for name in OVERALL:
        assert_allclose(found[name], expected[name], err_msg=name)


def test_figures_of_each_class_equal_scikit_learns(figures: dict[str, Any]) -> None:
    answers = TABLE.argmax(1)
    for c, label in enumerate(LABELS):
        positive, said = np.equal(TRUE, c), np.equal(answers, c)
        expected = {
            "support": positive.sum(),
            "sensitivity": metrics.recall_score(positive, said),
            "specificity": metrics.recall_score(~positive, ~said),
            "precision": metrics.precision_score(positive, said),
            "f1": metrics.f1_score(positive, said),
            "auroc": metrics.roc_auc_score(positive, TABLE[:, c]),
        }
        found = figures["per_class"][label]
        assert found["support"] == expected["support"]
        for name in PER_CLASS:
            assert_allclose(found[name]["value"], expected[name], err_msg=f"{label} {name}")


def test_the_confusion_and_the_bins_count_every_image(figures: dict[str, Any]) -> None:
    assert figures["confusion"] == metrics.confusion_matrix(TRUE, TABLE.argmax(1)).tolist()
    assert sum(row["count"] for row in figures["reliability"]) == len(TRUE)


def everything(figures: dict[str, Any]) -> list[dict[str, float | None]]:
    """All figures with their intervals."""
    rows = figures["per_class"].values()
    return [*figures["metrics"].values(), *(row[name] for row in rows for name in PER_CLASS)]


def many(seed: int, groups: int = 30) -> tuple[Array, Array, Array]:
    """A larger table: three images a group, guessed well."""
    generator = np.random.default_rng(seed)
    true = generator.integers(0, 3, 3 * groups)
    table = generator.dirichlet(np.ones(3), 3 * groups) + np.eye(3)[true] * 0.6
    return true, table / table.sum(1, keepdims=True), np.repeat(np.arange(groups), 3)


@pytest.mark.parametrize("seed", range(3))
def test_intervals_contain_the_value_and_stay_in_range(seed: int) -> None:
    figures = judge(*many(seed), LABELS)
    for figure in everything(figures):
        low, value, high = figure["low"], figure["value"], figure["high"]
        assert low is not None
        assert value is not None
        assert high is not None
        assert 0 <= low <= high <= 1
        if figure is not figures["metrics"]["ece"]:  # a resample's ECE is larger on average
            assert low <= value <= high
    accuracy = figures["metrics"]["accuracy"]
    assert 0.02 < accuracy["high"] - accuracy["low"] < 0.4


def test_intervals_are_wider_over_groups_than_over_single_images() -> None:
    generator = np.random.default_rng(0)
    true = np.repeat(generator.integers(0, 3, 20), 10)  # ten slices of each of 20 patients
    right = np.repeat(generator.random(20) < 0.7, 10)  # all of them right, or all wrong
    table = np.eye(3)[np.where(right, true, (true + 1) % 3)] * 0.9 + 0.1 / 3
    widths = []
    for group in (np.repeat(np.arange(20), 10), np.arange(200)):
        figure = judge(true, table, group, LABELS)["metrics"]["accuracy"]
        widths.append(figure["high"] - figure["low"])
    # Ten equal slices are one observation: sqrt(10) times wider.
    assert_allclose(widths[0] / widths[1], np.sqrt(10), rtol=0.15)


def test_undefined_figures_of_an_absent_class_are_none_and_never_zero() -> None:
    some = TRUE != 2
    figures = judge(TRUE[some], TABLE[some], GROUP[some], LABELS)
    absent = figures["per_class"]["none"]
    assert absent["support"] == 0
    for name in ("sensitivity", "precision", "f1", "auroc"):
        assert absent[name] == {"value": None, "low": None, "high": None}
    assert absent["specificity"]["value"] == 1.0
    balanced = metrics.balanced_accuracy_score(TRUE[some], TABLE[some].argmax(1))
    assert_allclose(figures["metrics"]["balanced_accuracy"]["value"], balanced)


def test_a_single_group_has_figures_but_no_intervals() -> None:
    figures = judge(TRUE, TABLE, np.zeros(8, dtype=int), LABELS)
    assert figures["metrics"]["accuracy"] == {"value": 0.75, "low": None, "high": None}
    assert all(figure["low"] is figure["high"] is None for figure in everything(figures))


def test_the_same_images_are_always_judged_the_same() -> None:
    assert judge(*many(4), LABELS) == judge(*many(4), LABELS)


def test_leaked_and_clean_images_are_judged_apart() -> None:
    seen = np.array([True, True, False, False, False, False, True, True])
    kinds: dict[str, Kind] = {"0.png": "copy", "1.png": "group", "6.png": "twin", "7.png": "group"}
    found = {path: Leak(path, "a", "", kind, "t.png", "a") for path, kind in kinds.items()}
    leakage = _leakage(Crosscheck(found, 8, 9, 1), seen, TRUE, TABLE, GROUP, True)
    assert leakage["allowed"] is True
    assert (leakage["copies"], leakage["twins"], leakage["same_group"]) == (1, 1, 2)
    assert leakage["certificate"]["complete"] is False
    assert "1 are not at hand" in leakage["certificate"]["compared"]
    assert leakage["leaked"]["images"] == leakage["clean"]["images"] == 4
    assert leakage["leaked"]["accuracy"]["value"] == 1.0
    assert leakage["clean"]["accuracy"]["value"] == 0.5


def test_without_leaks_all_images_are_the_clean_part() -> None:
    leakage = _leakage(Crosscheck({}, 8, 9, 0), np.zeros(8, dtype=bool), TRUE, TABLE, GROUP, False)
    assert leakage["leaked"] is None
    assert leakage["clean"]["images"] == 8
    whole = judge(TRUE, TABLE, GROUP, LABELS)["metrics"]["accuracy"]
    assert leakage["clean"]["accuracy"] == whole


def test_a_perfect_figure_has_the_exact_interval_of_the_groups_that_carry_it() -> None:
    true, group = np.array([0, 0, 1, 1, 1]), np.arange(5)
    right = np.eye(2)[true] * 0.8 + 0.1
    told = judge(true, right, group, ["a", "b"])
    low = {n: perfect_interval(1.0, n)[0] for n in (2, 3, 5)}
    assert told["metrics"]["accuracy"] == {"value": 1.0, "low": low[5], "high": 1.0}
    a, b = told["per_class"]["a"], told["per_class"]["b"]
    assert (a["sensitivity"]["low"], a["specificity"]["low"]) == (low[2], low[3])
    assert (b["sensitivity"]["low"], b["specificity"]["low"]) == (low[3], low[2])
    assert told["confusion"] == [[2, 0], [0, 3]]
    (filled,) = [row for row in told["reliability"] if row["count"]]
    assert filled["count"] == 5
    assert (filled["accuracy"], filled["confidence"]) == (1.0, pytest.approx(0.9))
    wrong = judge(true, 1 - right, group, ["a", "b"])
    assert wrong["per_class"]["a"]["sensitivity"] == {
        "value": 0.0, "low": 0.0, "high": perfect_interval(0.0, 2)[1],
    }  # fmt: skip


def test_two_groups_are_enough_for_an_interval() -> None:
    true, group = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    table = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.4, 0.6]])
    told = judge(true, table, group, ["a", "b"])["metrics"]["accuracy"]
    assert (told["value"], told["low"], told["high"]) == (0.75, 0.5, 1.0)
