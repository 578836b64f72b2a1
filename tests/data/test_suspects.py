"""Labels that unseen predictions contradict are found; predictions of seen images do not count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brainlens.core.errors import UserError
from brainlens.data.index import Index, Row
from brainlens.data.predictions import read_predictions, write_predictions
from brainlens.data.suspects import find_suspects

LABELS = ["glioma", "none"]


def row(number: int, label: str) -> Row:
    return Row(
        path=f"{number}.png", label=label, digest=f"d{number}", pixel_digest=f"p{number}", width=9,
        height=9, mode="L", group=f"g{number}",
    )  # fmt: skip


ROWS = [row(i, LABELS[i % 2]) for i in range(20)]
# The model is right about every picture but 4 and 7, which carry the other label.
TRUE = [i % 2 if i not in (4, 7) else 1 - i % 2 for i in range(20)]
TABLE = np.array([[0.95, 0.05] if true == 0 else [0.1, 0.9] for true in TRUE])


def evaluation(folder: Path, rows: list[Row], table: np.ndarray, **leaks: str) -> Path:
    folder.mkdir()
    seen = {f"{name[1:]}.png": kind for name, kind in leaks.items()}
    write_predictions(folder / "predictions.csv", rows, table, LABELS, seen)
    return folder


def test_predictions_come_back_as_written(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "eval", ROWS, TABLE, _3="twin")
    held = read_predictions(folder / "predictions.csv")
    assert held.labels == LABELS
    assert held.digests == [one.digest for one in ROWS]
    assert held.given == [one.label for one in ROWS]
    assert held.leaks == ["twin" if i == 3 else "" for i in range(20)]
    np.testing.assert_allclose(held.probabilities, TABLE)


def test_wrong_labels_are_suspected_from_several_folds(tmp_path: Path) -> None:
    folds = [
        evaluation(tmp_path / "one", ROWS[:10], TABLE[:10]),
        evaluation(tmp_path / "two", ROWS[10:], TABLE[10:]),
    ]
    found = find_suspects(Index(tuple(ROWS), tmp_path), folds)
    assert (found.judged, found.images) == (20, 20)
    assert {(one.path, one.label, one.guess) for one in found.found} == {
        ("4.png", "glioma", "none"),
        ("7.png", "none", "glioma"),
    }
    assert found.found[0].margin <= found.found[1].margin < 0.5


def test_what_a_run_had_seen_is_not_judged(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "eval", ROWS, TABLE, _4="copy")
    found = find_suspects(Index(tuple(ROWS), tmp_path), [folder])
    assert found.judged == 19
    assert [one.path for one in found.found] == ["7.png"]


def test_an_image_judged_twice_has_the_mean(tmp_path: Path) -> None:
    # The second run is as sure of the given labels as the first was of the others.
    sure = np.array([[0.99, 0.01] if one.label == "glioma" else [0.01, 0.99] for one in ROWS])
    folds = [
        evaluation(tmp_path / "one", ROWS, TABLE),
        evaluation(tmp_path / "two", ROWS, sure),
    ]
    assert find_suspects(Index(tuple(ROWS), tmp_path), folds).found == ()


def test_other_classes_or_none_of_the_images_are_errors(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "eval", ROWS, TABLE)
    other = tmp_path / "other"
    other.mkdir()
    write_predictions(other / "predictions.csv", ROWS, TABLE, ["glioma", "tumour"], {})
    with pytest.raises(UserError, match="other: judges glioma, tumour, but"):
        find_suspects(Index(tuple(ROWS), tmp_path), [folder, other])
    renamed = [replace(one, label="tumour") for one in ROWS]
    with pytest.raises(UserError, match="class 'tumour' of the index"):
        find_suspects(Index(tuple(renamed), tmp_path), [folder])
    strangers = [replace(one, digest="x" + one.digest) for one in ROWS]
    with pytest.raises(UserError, match="any image of the index"):
        find_suspects(Index(tuple(strangers), tmp_path), [folder])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file"),
        ("path,label\n1.png,none\n", "no table of predictions"),
        ("path,digest,label,p_a,leak\n1.png,d,a,much,\n", "no table of predictions"),
        ("path,digest,label,p_a,leak\n1.png,d,a,nan,\n", "no finite probabilities"),
        ("path,digest,label,leak\n1.png,d,a,\n", "no finite probabilities"),
    ],
)
def test_a_file_that_holds_no_predictions_is_named(
    tmp_path: Path, text: str | None, said: str
) -> None:
    path = tmp_path / "predictions.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        read_predictions(path)
    assert str(path) in str(caught.value)
