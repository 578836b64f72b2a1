"""The table of answers says what a reader would ask next."""

from __future__ import annotations

from brainlens.data.answers import Answer, Finding
from brainlens.data.scans import Picture
from brainlens.data.studies import pool
from brainlens.report.answered import predictions_as

STRANGE = "is unlike every picture the model learned from (1.31 x the limit)"


def slices(*refusals: str) -> list[Answer]:
    """A volume whose slices are refused for these reasons, or judged where there is none."""
    return [
        Answer(
            Picture("v.nii", number, len(refusals), "v", float(number)),
            Finding("glioma", 0.9, {"glioma": 0.9, "none": 0.1}, refusal=refusal),
        )
        for number, refusal in enumerate(refusals)
    ]


def test_a_study_says_in_one_line_why_slices_were_not_judged() -> None:
    answers = slices(*[""] * 6, STRANGE, "is nearly black; " + STRANGE, STRANGE.replace("1.3", "2"))
    table = predictions_as("table", answers, pool(answers, "none"))
    (line,) = [line for line in table.splitlines() if "not judged" in line]
    assert line == (
        "v.nii: 3 of 9 slices not judged: is unlike every picture the model learned from (2); "
        "is nearly black (1)"
    )


def test_a_study_judged_whole_says_nothing_of_the_kind() -> None:
    answers = slices("", "")
    assert "not judged" not in predictions_as("table", answers, pool(answers, "none"))
