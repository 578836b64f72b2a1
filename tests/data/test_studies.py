"""A study's slices are answered with their neighbours in mind, and together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from brainlens.data.answers import Answer, Finding
from brainlens.data.scans import Picture
from brainlens.data.studies import beside, in_context, pool

LABELS = ("glioma", "none", "pituitary")


def answer(
    number: int, none: float, *, study: str = "s", refusal: str = "", glioma: float = 0.5
) -> Answer:
    """A slice: `glioma` is the share of its tumour part."""
    p = {"glioma": (1 - none) * glioma, "none": none, "pituitary": (1 - none) * (1 - glioma)}
    best = max(p, key=lambda label: p[label])
    picture = Picture("head.nii.gz", number, 9, study, float(number))
    return Answer(picture, Finding(best, p[best], p, refusal=refusal))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_a_slice_counts_half_and_each_neighbour_a_quarter() -> None:
    none = np.array([sigmoid(-4), sigmoid(0), sigmoid(2)])  # log odds of a tumour 4, 0, -2
    table = np.stack([(1 - none) * 0.75, none, (1 - none) * 0.25], 1)
    got = beside(table, np.array([True, True, True]), 1)
    expected = [sigmoid(3.0), sigmoid(0.5), sigmoid(-1.5)]  # 3/4 of 4; 4/4 - 2/4; -2 * 3/4
    assert 1 - got[:, 1] == pytest.approx(expected)
    assert got[:, 0] / got[:, 2] == pytest.approx(3)  # its kind stays


def test_thin_slices_ask_as_many_neighbours_as_fill_the_same_part_of_a_head() -> None:
    odds = np.zeros(72)  # three times as many slices as a usual protocol has: three to either side
    odds[40] = 16.0
    none = 1 / (1 + np.exp(odds))
    got = beside(np.stack([1 - none, none], 1), np.ones(72, bool), 1)
    # Weights 1 2 3 4 3 2 1 of 16 in all.
    around = [sigmoid(x) for x in (0, 1, 2, 3, 4, 3, 2, 1, 0)]
    assert 1 - got[36:45, 1] == pytest.approx(around)


def test_a_refused_slice_says_nothing_and_is_told_nothing() -> None:
    answers = [answer(0, 0.9), answer(1, 0.01, refusal="is nearly black"), answer(2, 0.8)]
    got = in_context(answers, "none")
    assert [one.finding.probabilities["none"] for one in got] == pytest.approx([0.9, 0.01, 0.8])


def test_slices_are_neighbours_by_position_and_only_within_a_study() -> None:
    answers = [
        answer(2, 0.9), answer(0, 0.9), answer(1, 0.1), answer(1, 0.5, study="t"),
        answer(1, 0.5, study=""),
    ]  # fmt: skip
    got = in_context(answers, "none")
    assert got[0].finding.probabilities["none"] == got[1].finding.probabilities["none"] < 0.9
    assert got[3:] == answers[3:]


def test_a_changed_answer_is_changed_in_all_its_parts() -> None:
    answers = [answer(0, 0.001), answer(1, 0.6, glioma=0.9), answer(2, 0.001)]
    middle = in_context(answers, "none", lambda p: (LABELS[int(np.argmax(p))],))[1].finding
    assert middle.predicted == "glioma"
    assert middle.confidence == middle.probabilities["glioma"] > 0.5
    assert middle.candidates == ("glioma",)
    assert answers[1].finding.predicted == "none"


def test_without_a_background_nothing_is_changed() -> None:
    answers = [answer(0, 0.001), answer(1, 0.6)]
    assert in_context(answers, "") == answers


def test_a_lone_bright_spot_counts_less_in_the_study_than_one_that_goes_on() -> None:
    lone = in_context([answer(i, 0.05 if i == 4 else 0.95) for i in range(9)], "none")
    on = in_context([answer(i, 0.2 if 3 <= i <= 5 else 0.95) for i in range(9)], "none")
    assert pool(lone, "none")[0].suspicion < pool(on, "none")[0].suspicion


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=12))
@example([(0.0, True), (1.0, True)])
def test_probabilities_stay_probabilities(slices: list[tuple[float, bool]]) -> None:
    none = np.array([one for one, _ in slices])
    table = np.stack([(1 - none) / 2, none, (1 - none) / 2], 1)
    judged = np.array([one for _, one in slices])
    got = beside(table, judged, 1)
    assert np.all((got >= 0) & (got <= 1))
    assert got.sum(1) == pytest.approx(1)
    assert np.array_equal(got[~judged], table[~judged])
