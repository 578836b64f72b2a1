"""The tables on the terminal say what a newcomer would stumble over."""

from __future__ import annotations

from brainlens.data.split import SplitRecord
from brainlens.report.tables import split_summary


def record(tumours: int, healthy: int) -> SplitRecord:
    counts = {"train": {"glioma": 40, "none": 40}, "test": {"glioma": tumours, "none": healthy}}
    return SplitRecord("grouped", 0, 0.1, 0.1, counts=counts)


def test_a_test_side_of_a_handful_is_told_with_what_to_do() -> None:
    said = split_summary(record(12, 3)).splitlines()[-1]
    assert said.startswith("only 3 test images of none: ")
    assert "--test 0.3" in said
    assert "--protocol folds" in said


def test_a_test_side_that_is_large_enough_is_not_talked_about() -> None:
    assert split_summary(record(10, 10)).splitlines()[-1] == "protocol grouped, seed 0"
