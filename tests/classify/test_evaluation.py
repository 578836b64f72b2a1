"""What is evaluated was not seen in training, or the result says so loudly."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix

from brainlens.classify import evaluation, features
from brainlens.classify.evaluation import evaluate
from brainlens.classify.inference import probabilities
from brainlens.classify.network import load
from brainlens.classify.predictor import Predictor
from brainlens.classify.training import train
from brainlens.core.errors import (
    ImageError,
    IndexFileError,
    LeakError,
    OutputError,
    RunError,
    UserError,
)
from brainlens.data.index import read_index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.inputs import opened
from brainlens.data.pictures import pictures
from tests.classify.conftest import TINY, draw, split_index


@pytest.fixture
def run(tiny_index: Path, tmp_path: Path) -> Path:
    """A quickly trained run on the tiny index."""
    train(tiny_index, tmp_path / "run", dataclasses.replace(TINY, epochs=2))
    return tmp_path / "run"


def test_figures_agree_with_the_predictions_written(
    run: Path, tiny_index: Path, tmp_path: Path
) -> None:
    result = evaluate(run, tiny_index, tmp_path / "eval")
    assert json.loads((tmp_path / "eval" / "metrics.json").read_text()) == result
    rows = list(csv.DictReader((tmp_path / "eval" / "predictions.csv").read_text().splitlines()))
    true, said = [row["label"] for row in rows], [row["predicted"] for row in rows]
    assert result["metrics"]["accuracy"]["value"] == accuracy_score(true, said)
    assert result["confusion"] == confusion_matrix(true, said).tolist()
    assert len(rows) == len(read_index(tiny_index).of("test"))
    for row in rows:
        assert float(row["p_glioma"]) + float(row["p_none"]) == pytest.approx(1, abs=1e-5)
        assert row["leak"] == ""
    assert result["leakage"]["leaked"] is None
    assert result["protocol"]["protocol"] == "grouped"


def test_a_run_without_its_history_is_judged_all_the_same(
    run: Path, tiny_index: Path, tmp_path: Path
) -> None:
    (run / "metrics.csv").unlink()
    result = evaluate(run, tiny_index, tmp_path / "eval")
    assert result["history"] == []
    assert result["images"] == len(read_index(tiny_index).of("test"))


def test_so_many_images_are_judged_in_whole_groups_and_the_same_each_time(
    run: Path, tiny_index: Path, tmp_path: Path
) -> None:
    """Three slices a patient: seven are asked for, and three whole patients come."""
    index = read_index(tiny_index)
    tested = {row.path: n // 3 for n, row in enumerate(index.of("test"))}
    rows = [
        dataclasses.replace(row, group=f"p{tested[row.path]}") if row.path in tested else row
        for row in index.rows
    ]
    write_index(rows, index.folder, tiny_index)
    part = evaluate(run, tiny_index, tmp_path / "part", images=7)
    assert (part["images"], part["groups"], part["drawn_from"]) == (9, 3, len(tested))
    again = evaluate(run, tiny_index, tmp_path / "again", images=7)
    assert again["metrics"] == part["metrics"]
    told = [(tmp_path / name / "predictions.csv").read_text() for name in ("part", "again")]
    assert told[0] == told[1]
    assert "drawn_from" not in evaluate(run, tiny_index, tmp_path / "whole")


def test_a_head_is_judged_on_features_as_the_whole_network_would(
    tiny_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a second look at the same pictures runs no backbone."""
    config = dataclasses.replace(TINY, tune="head", augment="none", epochs=1)
    train(tiny_index, tmp_path / "head", config)
    evaluate(tmp_path / "head", tiny_index, tmp_path / "eval")
    model, index = load(tmp_path / "head" / "model.safetensors"), read_index(tiny_index)
    rows = index.of("test")
    whole = probabilities(model, pictures(index, rows, model.preprocessing))
    text = (tmp_path / "eval" / "predictions.csv").read_text()
    lines = list(csv.DictReader(text.splitlines()))
    for row, line, expected in zip(rows, lines, whole, strict=True):
        assert line["path"] == row.path
        own = [float(line[f"p_{label}"]) for label in model.labels]
        assert own == pytest.approx(expected, abs=1e-5)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the backbone ran")

    monkeypatch.setattr(features, "forward", refuse)
    monkeypatch.setattr(evaluation, "probabilities", refuse)
    evaluate(tmp_path / "head", tiny_index, tmp_path / "again")


def test_an_exact_copy_in_training_is_refused_unless_allowed(
    run: Path, tiny_index: Path, tmp_path: Path
) -> None:
    index = read_index(tiny_index)
    trained, tested = index.of("train")[0], index.of("test")[0]
    shutil.copy(index.file(trained), tmp_path / "pictures" / trained.label / "copy.png")
    copied = dataclasses.replace(
        trained, path=f"pictures/{trained.label}/copy.png", split="test", group="another"
    )
    rows = [row for row in index.rows if row != tested]
    leaky = write_index([*rows, copied], index.folder, tmp_path / "leaky.csv")
    with pytest.raises(LeakError, match=r"1 of 12 images .* \(1 as exact copies.*--allow-leaks"):
        evaluate(run, leaky, tmp_path / "eval")
    assert not (tmp_path / "eval").exists()
    result = evaluate(run, leaky, tmp_path / "eval", allow_leaks=True)
    assert result["leakage"]["copies"] == 1
    assert result["leakage"]["leaked"]["images"] == 1
    assert result["leakage"]["clean"]["images"] == 11
    text = (tmp_path / "eval" / "predictions.csv").read_text()
    assert [line for line in text.splitlines() if line.endswith(",copy")]


def test_a_group_shared_with_training_is_a_leak(
    run: Path, tiny_index: Path, tmp_path: Path
) -> None:
    index = read_index(tiny_index)
    group = index.of("train")[0].group
    first = index.of("test")[0]
    rows = [dataclasses.replace(r, group=group) if r == first else r for r in index.rows]
    leaky = write_index(rows, index.folder, tmp_path / "leaky.csv")
    with pytest.raises(LeakError, match="1 through a patient or twin"):
        evaluate(run, leaky, tmp_path / "eval")


def test_a_turned_and_brightened_training_image_is_a_leak_whatever_its_group_says(
    run: Path, tiny_index: Path, tmp_path: Path
) -> None:
    index = read_index(tiny_index)
    trained, tested = index.of("train")[0], index.of("test")[-1]
    with Image.open(index.file(trained)) as picture:
        turned = picture.rotate(90).point(lambda grey: min(255, round(grey * 1.1)))
    elsewhere = tmp_path / "elsewhere"
    for label in ("glioma", "none"):
        (elsewhere / label).mkdir(parents=True)
    turned.save(elsewhere / trained.label / "turned.png")
    shutil.copy(index.file(tested), elsewhere / tested.label / "unseen.png")
    found = index_folders([elsewhere], label_map={}).rows
    assert {row.label for row in found} == {"glioma", "none"}
    rows = [dataclasses.replace(row, split="test") for row in found]
    written = write_index(rows, Path("/"), tmp_path / "other.csv")
    with pytest.raises(LeakError, match=r"0 as exact copies, 1 as twins"):
        evaluate(run, written, tmp_path / "eval")
    result = evaluate(run, written, tmp_path / "eval", allow_leaks=True)
    assert (result["leakage"]["twins"], result["leakage"]["copies"]) == (1, 0)
    assert result["leakage"]["certificate"]["complete"] is True


def test_training_images_that_are_gone_make_the_certificate_incomplete(
    run: Path, tiny_index: Path, tmp_path: Path
) -> None:
    index = read_index(tiny_index)
    gone = index.of("train")[0]
    index.file(gone).unlink()
    certificate = evaluate(run, tiny_index, tmp_path / "eval")["leakage"]["certificate"]
    assert certificate["complete"] is False
    assert "; 1 are not at hand" in certificate["compared"]


def test_each_patient_fold_has_its_own_accuracy(
    run: Path, tiny_index: Path, tmp_path: Path
) -> None:
    index = read_index(tiny_index)
    rows = [dataclasses.replace(row, fold="12"[i % 2]) for i, row in enumerate(index.rows)]
    folded = write_index(rows, index.folder, tmp_path / "folded.csv")
    result = evaluate(run, folded, tmp_path / "eval")
    told = csv.DictReader((tmp_path / "eval" / "predictions.csv").read_text().splitlines())
    right = {row["path"]: row["label"] == row["predicted"] for row in told}
    assert result["parts"]["source"] == {}
    for fold in "12":
        own = [right[row.path] for row in rows if row.split == "test" and row.fold == fold]
        part = result["parts"]["fold"][fold]
        assert part["images"] == len(own)
        assert part["accuracy"]["value"] == pytest.approx(sum(own) / len(own))


def test_validation_can_be_judged_but_training_is_a_leak(
    run: Path, tiny_index: Path, tmp_path: Path
) -> None:
    assert evaluate(run, tiny_index, tmp_path / "val", split="val")["leakage"]["copies"] == 0
    # The train split judged by the run that trained on it has leaked whole.
    with pytest.raises(LeakError):
        evaluate(run, tiny_index, tmp_path / "train", split="train")


def test_a_second_evaluation_needs_overwrite(run: Path, tiny_index: Path, tmp_path: Path) -> None:
    first = evaluate(run, tiny_index, tmp_path / "eval")
    with pytest.raises(OutputError, match="--overwrite"):
        evaluate(run, tiny_index, tmp_path / "eval")
    again = evaluate(run, tiny_index, tmp_path / "eval", overwrite=True)
    assert again["metrics"] == first["metrics"]


def test_other_classes_are_refused(run: Path, tmp_path: Path) -> None:
    pictures = draw(tmp_path / "others", seed=9)
    (pictures / "glioma").rename(pictures / "pituitary")
    with pytest.raises(RunError, match=r"'pituitary'.* knows glioma, none"):
        evaluate(run, split_index(tmp_path / "others", pictures), tmp_path / "eval")


def test_a_moved_image_says_so(run: Path, tiny_index: Path, tmp_path: Path) -> None:
    index = read_index(tiny_index)
    index.file(index.of("test")[0]).unlink()
    with pytest.raises(IndexFileError, match="give the folder where they are now"):
        evaluate(run, tiny_index, tmp_path / "eval")


def test_an_unknown_split_names_the_nearest(run: Path, tiny_index: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexFileError, match="did you mean 'test'"):
        evaluate(run, tiny_index, tmp_path / "eval", split="tests")


def test_a_prediction_equals_the_evaluation_of_the_same_image(
    run: Path, tiny_index: Path, tmp_path: Path
) -> None:
    evaluate(run, tiny_index, tmp_path / "eval")
    index = read_index(tiny_index)
    text = (tmp_path / "eval" / "predictions.csv").read_text()
    judged = {row["path"]: row for row in csv.DictReader(text.splitlines())}
    rows = index.of("test")
    answers, unreadable = Predictor(run).classify([index.file(row) for row in rows])
    assert not unreadable
    for row, answer in zip(rows, answers, strict=True):
        assert answer.finding.predicted == judged[row.path]["predicted"]
        assert answer.finding.confidence == pytest.approx(
            float(judged[row.path]["confidence"]), abs=2e-6
        )


def test_one_bad_file_among_many_is_skipped_and_alone_is_an_error(
    run: Path, tiny_index: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    index = read_index(tiny_index)
    good = index.file(index.rows[0])
    answers, unreadable = Predictor(run).classify([bad, good])
    assert [answer.picture.path for answer in answers] == [str(good)]
    assert [error.path for error in unreadable] == [bad]
    with pytest.raises(ImageError, match=r"bad\.jpg"):
        Predictor(run).classify([bad])


def test_folders_are_read_whole_and_empty_ones_refused(tiny_index: Path, tmp_path: Path) -> None:
    with opened([tmp_path / "pictures"]) as found:
        assert len(found) == 48
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="holds no image"), opened([empty]):
        pass


def test_a_folder_that_is_no_run_says_how_to_make_one(tiny_index: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="brainlens train"):
        evaluate(tmp_path, tiny_index, tmp_path / "eval")
    with pytest.raises(RunError, match="no such checkpoint"):
        Predictor(tmp_path)
