"""Two evaluations of one test: matched by image, corrected together, no rash claim of better."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brainlens.core.errors import UserError
from brainlens.report.compared import as_document, compare_folders, read_answers, summary
from brainlens.report.page import write_report
from tests.report.conftest import Make

HEAD = "path,digest,group,label,predicted,confidence,p_glioma,p_none,leak\n"


def predictions(right: Callable[[int], bool], images: int = 40, order: int = 1) -> str:
    """Forty images of forty patients; `right` says which are answered correctly."""
    lines = []
    for i in list(range(images))[::order]:
        label = "glioma" if i % 2 else "none"
        other = "none" if i % 2 else "glioma"
        said = label if right(i) else other
        lines.append(f"{i}.png,d{i},g{i},{label},{said},0.9,0.9,0.1,\n")
    return HEAD + "".join(lines)


def test_a_clear_difference_is_told_and_a_small_one_is_not(make_evaluation: Make) -> None:
    good = make_evaluation("good", predictions(lambda i: i != 0))
    near = make_evaluation("near", predictions(lambda i: i > 1, order=-1))
    poor = make_evaluation("poor", predictions(lambda i: i > 19))
    pairs = {(p.first, p.second): p for p in compare_folders([good, near, poor])}
    assert pairs["good", "near"].better == ""
    assert pairs["good", "near"].difference.value == pytest.approx(1 / 40)
    assert pairs["good", "poor"].better == "good"
    assert (pairs["good", "poor"].difference.only_first) == 19
    assert pairs["near", "poor"].better == "near"
    # Exact McNemar, Holm over three: 2 / 2^19 is the smallest p of the three.
    assert pairs["good", "poor"].holm_mcnemar == pytest.approx(3 * 2 / 2**19)
    text = summary(list(pairs.values()))
    assert "good is better than poor" in text
    assert "no difference shown" in text
    assert "p by Holm over 3 pairs" in text
    document = as_document(list(pairs.values()))
    assert json.loads(json.dumps(document))["pairs"][0]["says"] == "no difference shown"


def test_copies_of_one_file_are_matched_one_to_one(make_evaluation: Make) -> None:
    twice = predictions(lambda i: True, 3) + "copy.png,d0,g0,none,none,0.9,0.9,0.1,\n"
    answers = read_answers(make_evaluation("e", twice))
    assert len(answers.right) == 4
    assert answers.group["d0", 1] == "g0"


def test_other_images_or_labels_cannot_be_compared(make_evaluation: Make) -> None:
    one = make_evaluation("one", predictions(lambda i: True))
    fewer = make_evaluation("fewer", predictions(lambda i: True, 30))
    with pytest.raises(UserError, match=r"fewer: judged other images .* \(30 of 30"):
        compare_folders([one, fewer])
    renamed = predictions(lambda i: True).replace(",none,none,", ",healthy,healthy,")
    with pytest.raises(UserError, match="judged other images or labels"):
        compare_folders([one, make_evaluation("renamed", renamed)])
    with pytest.raises(UserError, match="two or more"):
        compare_folders([one])
    with pytest.raises(UserError, match=r"predictions\.csv"):
        compare_folders([one, one.parent / "nowhere"])


def test_a_page_of_two_evaluations_says_whether_one_is_better(
    make_evaluation: Make, tmp_path: Path
) -> None:
    good = make_evaluation("good", predictions(lambda i: i != 0))
    poor = make_evaluation("poor", predictions(lambda i: i > 19))
    page = write_report([good, poor], tmp_path / "r.html").read_text()
    assert "Is any better?" in page
    assert "good is better than poor" in page
    other = make_evaluation("other", predictions(lambda i: True, 30))
    assert "Is any better?" not in write_report([good, other], tmp_path / "s.html").read_text()


def curves(*accuracies: float) -> list[dict[str, Any]]:
    """One degradation, three severities."""
    points = [
        {
            "severity": severity,
            "accuracy": {"value": a, "low": a - 0.1, "high": a + 0.1},
            "balanced_accuracy": {"value": a, "low": None, "high": None},
        }
        for severity, a in zip((None, 1, 2.5), accuracies, strict=True)
    ]
    return [{"name": "blur", "unit": "sigma", "why": "out of focus", "points": points}]


def test_curves_on_poor_scans_are_drawn_for_each_model_together(
    make_evaluation: Make, tmp_path: Path
) -> None:
    one = make_evaluation("first-model", degraded=curves(0.9, 0.8, 0.5))
    two = make_evaluation("second-model", degraded=curves(0.85, 0.84, 0.8))
    plain = make_evaluation("plain")
    page = write_report([one, two, plain], tmp_path / "r.html").read_text()
    assert page.count("On poor scans") == 3  # the comparison, and the two that have curves
    assert "blur: sigma" in page
    assert ">2.5<" in page
    assert "On poor scans" not in write_report([plain], tmp_path / "p.html").read_text()
