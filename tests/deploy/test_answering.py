"""One request end to end with an export: volumes, heat maps, reports, prevalence, refusals."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from brainlens.classify.training import train
from brainlens.core.errors import ImageError, OutputError, RunError, UserError
from brainlens.data.answers import Answer, Finding
from brainlens.data.index import read_index
from brainlens.data.preprocess import Preprocessing
from brainlens.data.scans import read_pictures
from brainlens.data.studies import pool
from brainlens.deploy.answering import answer_inputs
from brainlens.deploy.classifier import Classifier
from brainlens.deploy.dicom_sr import write_reports
from brainlens.deploy.export import export
from brainlens.deploy.heatmaps import coloured, laid_back
from brainlens.report.answered import predictions_as
from tests.classify.conftest import TINY, draw, split_index
from tests.data.test_mutated_files import dicom, mutated
from tools import box_answers


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny dense run, its second opinion and their export, of 16-bit weights."""
    folder = tmp_path_factory.mktemp("answering")
    plain = dataclasses.replace(TINY, backbone="cnn_small", hidden=None, epochs=1)
    config = dataclasses.replace(plain, head="dense", size=64, second=(str(folder / "plain"),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAINLENS_CACHE", str(folder / "cache"))
        index = split_index(folder, draw(folder / "pictures"))
        train(index, folder / "plain", plain)
        train(index, folder / "run", config)
        export(folder / "run", folder / "model.onnx", weights="float16")
    return folder


def test_a_finding_has_likeness_novelty_and_heat(place: Path) -> None:
    model = Classifier(place / "model.onnx")
    grey = np.asarray(Image.open(next((place / "pictures" / "glioma").glob("*.png"))))
    (found,) = model.find([grey], coverage=0.8)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.novelty is not None
    assert found.novelty >= 0
    assert [one.distance for one in found.similar] == sorted(one.distance for one in found.similar)
    assert {one.label for one in found.similar} <= {"glioma", "none"}
    assert found.heat is not None
    assert 0 <= found.heat.min() <= found.heat.max() <= 1


def test_a_run_and_its_export_are_compared_on_validation_alone(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINLENS_CACHE", str(place / "cache"))
    out, index, run, model = (
        str(place / name) for name in ("told.json", "run/index.csv", "run", "model.onnx")
    )
    monkeypatch.setattr("sys.argv", ["box_answers", out, index, "", run, model])
    box_answers.main()
    own, exported = json.loads(Path(out).read_text())["models"].values()
    val = [row for row in read_index(place / "run" / "index.csv").rows if row.split == "val"]
    assert own["images"] == len(val)
    assert 0 <= own["accuracy"] <= 1
    assert exported["log loss"] != own["log loss"], "the export has its temperature"
    assert exported["tumour from none"] == pytest.approx(own["tumour from none"], abs=0.1)
    assert own["painted out"] == 0  # no outlines were given


def test_a_training_picture_is_its_own_nearest(place: Path) -> None:
    model = Classifier(place / "model.onnx")
    with (place / "run" / "index.csv").open() as stream:
        row = next(r for r in csv.DictReader(stream) if r["split"] == "train")
    grey = np.asarray(Image.open((place / "run" / row["path"]).resolve()))
    (found,) = model.find([grey])
    assert found.similar[0].name == row["pixel_digest"][:12]
    assert found.similar[0].distance < 0.2


def test_an_export_names_no_place_of_the_machine_it_was_made_on(place: Path) -> None:
    content = (place / "model.onnx").read_bytes()
    assert b"site-packages" not in content
    assert "path" not in Classifier(place / "model.onnx").meaning["index"]


def test_noise_and_blank_pictures_are_refused_with_a_reason(place: Path) -> None:
    model = Classifier(place / "model.onnx")
    blank = np.zeros((64, 64), np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    found = model.find([blank, noise])
    assert "shows next to nothing" in found[0].refusal
    assert "does not look like a slice of a head" in found[1].refusal


def test_heat_lies_where_the_evidence_was(place: Path) -> None:
    grey = np.zeros((100, 200), np.uint8)
    grey[20:80, 60:160] = 150
    heat = np.zeros((8, 8), np.float32)
    heat[1, 6] = 1
    for fit in ("stretch", "pad"):
        preprocessing = Preprocessing(64, fit, crop=True)
        large = laid_back(heat, grey, preprocessing)
        assert large.shape == grey.shape
        row, column = np.unravel_index(large.argmax(), large.shape)
        x, y = preprocessing.frame(grey).place(np.array([[column, row]]))[0]
        assert abs(x - 52) < 6
        assert abs(y - 12) < 6
    shown = coloured(grey, large)
    assert shown[20, 0].tolist() == [0, 0, 0]


def test_prevalence_follows_bayes_and_wrong_wishes_are_refused(place: Path) -> None:
    picture = next((place / "pictures" / "none").glob("*.png"))
    model = place / "model.onnx"
    done = answer_inputs([picture], model, prevalence=0.1, heatmap=place / "heat")
    operating = Classifier(model).meaning["operating"]
    hits, alarms = operating["sensitivity"] * 0.1, (1 - operating["specificity"]) * 0.9
    expected = hits / (hits + alarms) if hits + alarms else 0
    assert any(f"PPV {expected:.1%}" in note for note in done.notes)
    with pytest.raises(UserError, match="--prevalence 5"):
        answer_inputs([picture], model, prevalence=5)
    with pytest.raises(UserError, match="needs an export"):
        answer_inputs([picture], place / "run", heatmap=place / "heat")
    with pytest.raises(UserError, match="no DICOM file"):
        answer_inputs([picture], model, dicom_sr=place / "sr")
    with pytest.raises(RunError, match="no such file"):
        answer_inputs([picture], place / "absent.onnx")


def test_the_forms_say_the_same(place: Path) -> None:
    pictures = sorted((place / "pictures" / "none").glob("*.png"))[:3]
    done = answer_inputs(pictures, place / "model.onnx")
    objects = json.loads(predictions_as("json", done.answers))
    rows = list(csv.DictReader(io.StringIO(predictions_as("csv", done.answers))))
    assert [one["predicted"] for one in objects] == [row["predicted"] for row in rows]
    table = predictions_as("table", done.answers, done.studies)
    assert all(str(picture) in table for picture in pictures)


def test_a_report_refers_to_its_series_and_says_the_pooled_answer(
    shared: Path, tmp_path: Path
) -> None:
    import highdicom

    series = shared / "data" / "dicom" / "dicom_studyforrest_7T_T1"
    files = sorted(series.glob("*.dcm"))[8:12]
    answers = [
        Answer(picture, Finding("glioma", p, {"glioma": p, "none": 1 - p}))
        for file, p in zip(files, (0.5, 0.9, 0.7, 0.1), strict=True)
        for picture in read_pictures(file)
    ]
    (study,) = studies = pool(answers, "none")
    (file,), without = write_reports(answers, studies, tmp_path / "sr", model="0" * 64)
    assert without == []
    report: Any = highdicom.sr.srread(file)
    content: Any = report.content
    (group,) = content.get_image_measurement_groups()
    said = {m.name.meaning: m.value for m in group.get_measurements()}
    assert said == {"probability of glioma": 70.0, "probability of none": 30.0}
    assert study.suspicion == pytest.approx(0.7)
    source = pydicom.dcmread(files[0])
    assert report.StudyInstanceUID == source.StudyInstanceUID
    assert report.PatientID == source.PatientID
    if checker := shutil.which("dciodvfy"):
        done = subprocess.run([checker, str(file)], capture_output=True, text=True)
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
        # What the scanner itself wrote wrong is copied with the patient's particulars.
        assert all("Patient" in line or "Value Representations" in line for line in errors), errors


def judged(*files: Path) -> list[Answer]:
    return [Answer(p, Finding("none", 1.0, {"none": 1.0})) for f in files for p in read_pictures(f)]


def test_an_old_file_s_date_and_time_are_written_as_dicom_has_them(
    shared: Path, tmp_path: Path
) -> None:
    answers = judged(shared / "data" / "dicom" / "dicom_mr_head_barre" / "MR-MONO2-16-head.dcm")
    source = pydicom.dcmread(answers[0].picture.path)
    assert source.StudyTime == "09:11:56"
    (file,), _ = write_reports(answers, pool(answers, "none"), tmp_path, model="0" * 64)
    assert pydicom.dcmread(file).StudyTime == "091156"


def test_a_date_that_is_none_is_left_empty(shared: Path, tmp_path: Path) -> None:
    data = pydicom.dcmread(shared / "data/dicom/dicom_mr_head_barre/MR-MONO2-16-head.dcm")
    with pytest.warns(UserWarning, match="Invalid value"):
        data.StudyDate, data.StudyTime = "20019931", "never"
    data.save_as(tmp_path / "x.dcm")
    answers = judged(tmp_path / "x.dcm")
    (file,), _ = write_reports(answers, pool(answers, "none"), tmp_path, model="0" * 64)
    report = pydicom.dcmread(file)
    assert (report.StudyDate, report.StudyTime) == ("", "")


def test_a_gzipped_file_has_the_report_of_the_plain_one(shared: Path, tmp_path: Path) -> None:
    whole = sorted((shared / "data" / "dicom" / "dicom_studyforrest_7T_T1").glob("*.dcm"))[8]
    packed = tmp_path / "x.dcm.gz"
    packed.write_bytes(gzip.compress(whole.read_bytes()))
    answers = judged(packed)
    (file,), _ = write_reports(answers, pool(answers, "none"), tmp_path, model="0" * 64)
    assert pydicom.dcmread(file).StudyInstanceUID == pydicom.dcmread(whole).StudyInstanceUID


def test_a_series_that_no_report_can_name_is_told_and_the_others_have_theirs(
    shared: Path, tmp_path: Path
) -> None:
    whole = sorted((shared / "data" / "dicom" / "dicom_studyforrest_7T_T1").glob("*.dcm"))[8]
    broken = tmp_path / "broken.dcm"
    data = pydicom.dcmread(whole)
    data.SOPClassUID = pydicom.uid.UID("1.2.3")
    data.SeriesInstanceUID, data.PatientName = pydicom.uid.UID("1.2.4"), "Doe^Jane"
    data.save_as(broken)
    answers = judged(broken, whole)
    studies = pool(answers, "none")
    (file,), (error,) = write_reports(answers, studies, tmp_path / "sr", model="0" * 64)
    assert pydicom.dcmread(file).StudyInstanceUID == data.StudyInstanceUID
    assert str(error).startswith(f"{broken}: got a header that no report can refer to")
    assert "Doe" not in str(error)
    alone = judged(broken)
    with pytest.raises(ImageError, match="no report can refer to"):
        write_reports(alone, pool(alone, "none"), tmp_path / "none", model="0" * 64)
    assert list((tmp_path / "none").iterdir()) == []


def test_of_damaged_headers_comes_a_report_or_one_line(tmp_path: Path) -> None:
    whole, file, fates = dicom(), tmp_path / "x.dcm", []
    for seed in range(0, 160, 2):
        file.write_bytes(mutated(whole, seed))
        try:
            answers = judged(file)
            write_reports(answers, pool(answers, "none"), tmp_path / "sr", model="0" * 64)
        except UserError as error:
            fates.append(str(error).count("\n"))
        else:
            fates.append(-1)
    assert set(fates) == {-1, 0}  # reports, and single lines


def test_a_report_folder_that_cannot_be_written_is_one_line(shared: Path, tmp_path: Path) -> None:
    (file,) = sorted((shared / "data" / "dicom" / "dicom_studyforrest_7T_T1").glob("*.dcm"))[8:9]
    answers = judged(file)
    (tmp_path / "sr").write_text("a file, no folder")
    with pytest.raises(OutputError, match="cannot be written"):
        write_reports(answers, pool(answers, "none"), tmp_path / "sr", model="0" * 64)
