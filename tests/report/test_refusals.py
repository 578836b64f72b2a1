"""What a report refuses: one line that names the file, and no page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brainlens.core.errors import UserError
from brainlens.report.page import SECTIONS, write_report

Make = Callable[..., Path]


def refusal(*folders: Path) -> str:
    """The one line with which a report is refused; no page is left behind."""
    out = folders[0].parent / "refused.html"
    with pytest.raises(UserError) as caught:
        write_report(folders, out)
    assert not out.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_folder_is_refused_with_what_makes_a_known_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    line = refusal(tmp_path / "empty")
    assert str(tmp_path / "empty") in line
    for section in SECTIONS:
        assert section.made_by in line
    assert "no such folder" in refusal(tmp_path / "absent")


def test_no_folder_and_no_html_name_are_refused(make_run: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        write_report([], tmp_path / "report.html")
    index = tmp_path / "index.csv"
    index.write_text("precious")
    with pytest.raises(UserError, match="html"):
        write_report([make_run()], index)
    assert index.read_text() == "precious"


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("metrics.json", "{", "broken JSON"),
        ("metrics.json", "[]", "list, not an object"),
        ("predictions.csv", "path,label,predicted,leak\n", "no column 'confidence'"),
        ("predictions.csv", "path,label,predicted,confidence,leak\na,b,c,high,\n", "'high'"),
        ("predictions.csv", "path,label,predicted,confidence,leak\na,b\n", "row 2"),
    ],
)
def test_a_broken_evaluation_is_refused_by_file(
    make_evaluation: Make, file: str, text: str, said: str
) -> None:
    folder = make_evaluation()
    (folder / file).write_text(text)
    line = refusal(folder)
    assert line.startswith(f"{folder / file}: got ")
    assert said in line
    assert "brainlens evaluate" in line


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"images": "many"}, "'images' that is str, not int"),
        ({"labels": ["glioma", "none", "new"]}, "no 'per_class.new'"),
        ({"confusion": [[1, 2]]}, "'confusion' that is not 2 rows of 2 counts"),
        ({"labels": [], "confusion": []}, "'confusion' that is not 0 rows"),
        ({"metrics": {}}, "no 'accuracy'"),
        ({"metrics": {"accuracy": {"low": 0.1}}}, "no 'accuracy.value'"),
        ({"metrics": {"accuracy": {"value": "high"}}}, "'high', which is no number"),
        ({"leakage": {"allowed": False, "copies": 0}}, "no 'leakage.same_group'"),
        ({"reliability": [{"low": 0, "high": 1}]}, "no 'count'"),
        ({"reliability": [7]}, "'reliability' bin that is int"),
        ({"history": "none"}, "'history' that is no list"),
    ],
)
def test_metrics_that_would_be_shown_wrongly_are_refused(
    make_evaluation: Make, part: dict[str, Any], said: str
) -> None:
    folder = make_evaluation(**part)
    line = refusal(folder)
    assert line.startswith(f"{folder / 'metrics.json'}: got ")
    assert said in line


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("config.toml", "= 3", "broken TOML"),
        ("metrics.csv", "epoch,train_loss\n1,2\n", "no column 'train_accuracy'"),
        ("provenance.json", '{"kind": "run"', "broken JSON"),
    ],
)
def test_a_broken_run_is_refused_by_file(make_run: Make, file: str, text: str, said: str) -> None:
    folder = make_run()
    (folder / file).write_text(text)
    line = refusal(folder)
    assert line.startswith(f"{folder / file}: got ")
    assert said in line


def test_missing_and_unreadable_parts_are_refused_by_file(
    make_run: Make, make_evaluation: Make
) -> None:
    run, evaluation = make_run(), make_evaluation()
    (run / "config.toml").unlink()
    assert "config.toml: got no such file" in refusal(run)
    (evaluation / "predictions.csv").write_bytes(b"path\xff\n")
    assert "predictions.csv: got text that is not UTF-8" in refusal(evaluation)
