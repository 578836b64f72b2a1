"""The API answers every kind of file as the command line would, and keeps what it said."""

from __future__ import annotations

import base64
import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from starlette.testclient import TestClient

from brainlens.core.errors import UserError
from brainlens.deploy.answering import answer_inputs, box
from brainlens.deploy.classifier import Classifier
from brainlens.deploy.service.record import read_record
from brainlens.deploy.service.samples import samples
from brainlens.deploy.service.side import STATIC
from brainlens.deploy.service.wording import LABELS as LABELS_TOLD
from brainlens.deploy.service.wording import REASONS, WORDS, reasons
from tests.deploy.service.conftest import LABELS, SAMPLE, png


def post(client: TestClient, *files: tuple[str, bytes], **fields: str) -> Any:
    """An upload that is read."""
    answer = client.post("/api/v1/classify", files=[("files", one) for one in files], data=fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def nifti(values: np.ndarray[Any, Any]) -> bytes:
    """A volume in one piece, gzipped."""
    import gzip

    import nibabel

    make: Any = nibabel.nifti1.Nifti1Image
    image = make(values, np.diag([1.0, 1.0, 3.0, 1.0]))
    return gzip.compress(image.to_bytes())


def dicom(
    values: np.ndarray[Any, Any], number: int, *, series: str = "1.2.3", modality: str = "MR"
) -> bytes:
    """A slice of a series, at `number` mm along the body."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = MRImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.SOPClassUID, data.SOPInstanceUID = MRImageStorage, generate_uid()
    data.PatientName, data.Modality, data.SeriesInstanceUID = "Doe^Jane", modality, series
    data.InstanceNumber, data.StudyInstanceUID = 100 - number, "1.2"
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    data.Rows, data.Columns = values.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.PixelData = values.astype("<u2").tobytes()
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


HEAD = np.asarray(Image.open(SAMPLE).convert("L")).astype(np.uint16)


def test_a_picture_is_answered_as_on_the_command_line(client: TestClient, model: Path) -> None:
    ours = post(client, (SAMPLE.name, SAMPLE.read_bytes()))["slices"][0]
    (answer,), _ = Classifier(model).classify([SAMPLE], coverage=0.95)
    theirs = answer.finding
    assert ours["predicted"] == theirs.predicted
    for label, p in theirs.probabilities.items():
        assert ours["probabilities"][label] == pytest.approx(p, abs=1e-6)
    assert tuple(ours["candidates"]) == theirs.candidates
    assert [one["name"] for one in ours["similar"]] == [one.name for one in theirs.similar]
    assert ours["suspicion"] == pytest.approx(1 - theirs.probabilities["none"])


def test_slices_of_a_series_stand_along_the_body_whatever_their_names(client: TestClient) -> None:
    files = [(f"{name}.dcm", dicom(HEAD * 9, place)) for name, place in
             (("a", 30), ("b", 10), ("c", 20))]  # fmt: skip
    document = post(client, *files)
    assert [one["name"] for one in document["slices"]] == ["b.dcm", "c.dcm", "a.dcm"]
    (study,) = document["studies"]
    assert study["kind"] == "dicom"
    assert study["pooled"]["judged"] == 3
    assert "Doe" not in json.dumps(document)


def test_the_pooled_answer_is_the_mean_of_the_most_suspicious_slices(client: TestClient) -> None:
    rng = np.random.default_rng(0)
    volume = np.stack([HEAD * rng.uniform(0.5, 1) for _ in range(6)], 2).astype(np.int16)
    document = post(client, ("scan.nii.gz", nifti(volume)))
    slices = document["slices"]
    assert len(slices) == 6
    worst = sorted(slices, key=lambda one: -one["suspicion"])[:3]
    pooled = document["studies"][0]["pooled"]
    assert pooled["from"] == sorted(one["index"] for one in worst)
    for label in LABELS:
        mean = sum(one["probabilities"][label] for one in worst) / 3
        assert pooled["probabilities"][label] == pytest.approx(mean)


def test_a_zip_of_folders_gives_a_study_a_folder_and_names_what_it_skips(
    client: TestClient,
) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("one/1.jpg", "one/2.jpg", "two/1.jpg"):
            archive.writestr(name, SAMPLE.read_bytes())
        archive.writestr("__MACOSX/one/._1.jpg", b"x")
        archive.writestr("two/notes.txt", "what the ward round said")
    document = post(client, ("cases.zip", stream.getvalue()))
    assert [study["title"] for study in document["studies"]] == ["cases/one", "cases/two"]
    assert [study["slices"] for study in document["studies"]] == [[0, 1], [2]]
    (skipped,) = document["unreadable"]
    assert (skipped["name"], skipped["code"]) == ("cases/two/notes.txt", "unknown-format")


def test_what_is_no_slice_of_a_head_is_refused_with_a_reason(client: TestClient) -> None:
    rng = np.random.default_rng(1)
    photo = np.asarray(Image.fromarray(
        rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).resize((200, 200)))  # fmt: skip
    document = post(client, ("garden.png", png(photo)))
    (one,) = document["slices"]
    assert "does not look like a slice" in one["refusal"]
    assert one["suspicion"] is None
    assert document["studies"][0]["pooled"] is None


def test_the_heat_map_lies_over_the_picture_as_the_network_saw_it(client: TestClient) -> None:
    """A head whose right lower quarter is bright: there the evidence is, and nowhere more."""
    picture = HEAD.astype(np.uint8) // 2
    picture[picture.shape[0] // 2 :, picture.shape[1] // 2 :] += 120
    heat = post(client, ("a.png", png(picture)))["slices"][0]["heat"]
    grid = np.frombuffer(base64.b64decode(heat["data"]), np.uint8)
    grid = grid.reshape(heat["height"], heat["width"])
    half = grid.shape[0] // 2
    quarters = [grid[:half, :half], grid[:half, half:], grid[half:, :half], grid[half:, half:]]
    assert int(np.argmax([one.mean() for one in quarters])) == 3


def test_a_study_is_pooled_as_on_the_command_line(
    client: TestClient, model: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    volume = np.stack([HEAD * rng.uniform(0.3, 1) for _ in range(7)], 2).astype(np.int16)
    (tmp_path / "v.nii.gz").write_bytes(nifti(volume))
    (theirs,) = answer_inputs([tmp_path / "v.nii.gz"], model).studies
    (ours,) = post(client, ("v.nii.gz", nifti(volume)))["studies"]
    assert ours["pooled"]["predicted"] == theirs.predicted
    assert ours["pooled"]["judged"] == theirs.judged
    assert ours["pooled"]["suspicion"] == pytest.approx(theirs.suspicion, abs=1e-6)
    assert ours["pooled"]["probabilities"] == pytest.approx(theirs.probabilities, abs=1e-6)


def test_a_volume_tells_its_progress_line_by_line(client: TestClient) -> None:
    volume = np.stack([HEAD] * 10, 2).astype(np.int16)
    answer = client.post(
        "/api/v1/classify", files={"files": ("v.nii.gz", nifti(volume))},
        headers={"accept": "application/x-ndjson"},
    )  # fmt: skip
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["progress"]["done"] for line in lines[:-1]] == [4, 8, 10]
    assert len(lines[-1]["reading"]["slices"]) == 10


def test_a_fault_after_the_first_line_is_a_line_too(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk: Any = client.app._app.state.desk  # type: ignore[attr-defined]
    judge, calls = desk.sight.judge, []

    def faulty(planes: Any, coverage: float) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise ValueError("the model is ill")
        return judge(planes, coverage)

    monkeypatch.setattr(desk._batcher, "_judge", faulty)
    answer = client.post(
        "/api/v1/classify", files={"files": ("v.nii.gz", nifti(np.stack([HEAD] * 6, 2)))},
        headers={"accept": "application/x-ndjson"},
    )  # fmt: skip
    first, last = (json.loads(line) for line in answer.text.splitlines())
    assert first == {"progress": {"done": 4, "of": 6}}
    assert last["error"]["code"] == "fault"
    assert client.get("/api/v1/readings").json()["readings"] == []


def test_the_values_that_a_window_is_laid_over_are_those_of_the_scanner(client: TestClient) -> None:
    values = (HEAD.astype(np.uint16) * 11) + 7
    document = post(client, ("a.dcm", dicom(values, 1)))
    shown = document["slices"][0]["shown"]
    path = f"/api/v1/readings/{document['id']}/slices/0/"
    held = np.frombuffer(client.get(path + "values").content, "<u2")
    found = shown["low"] + held.reshape(HEAD.shape) * (shown["high"] - shown["low"]) / 65535
    np.testing.assert_allclose(found, values, atol=0.05)
    picture = Image.open(io.BytesIO(client.get(path + "picture?side=64").content))
    assert max(picture.size) == 64


def test_a_reading_is_found_again_and_can_be_taken_away(client: TestClient) -> None:
    document = post(client, ("=cmd()|x.jpg", SAMPLE.read_bytes()), reader="Dr. Who")
    (line,) = client.get("/api/v1/readings", params={"search": "dr. w"}).json()["readings"]
    assert (line["id"], line["reader"]) == (document["id"], "Dr. Who")
    assert client.get("/api/v1/readings", params={"search": "%"}).json()["readings"] == []
    path = f"/api/v1/readings/{document['id']}"
    assert client.get(path).json()["slices"] == document["slices"]
    (row,) = csv.DictReader(io.StringIO(client.get(path + "/csv").text))
    assert row["name"] == "'=cmd()|x.jpg"
    assert float(row["p(none)"]) == pytest.approx(
        document["slices"][0]["probabilities"]["none"], abs=1e-5
    )  # fmt: skip
    page = client.get(path + "/report").text
    assert "Dr. Who" in page
    assert "data:image/png" in page
    said = client.get(path + "/report?language=zh-Hant").text
    assert 'lang="zh-Hant"' in said
    assert LABELS_TOLD[document["slices"][0]["predicted"]] in said
    assert "診斷" in said
    assert client.get("/api/v1/readings/0123456789abcdef").status_code == 404


def test_the_report_says_labels_and_reasons_as_the_page_does() -> None:
    words = (STATIC / "words.js").read_text("utf-8").partition('"zh-Hant": {')[2]
    for name, text in LABELS_TOLD.items():
        assert f'"label.{name}": "{text}"' in words
    for text in REASONS.values():
        assert text in words
    assert WORDS["en"].keys() == WORDS["zh-Hant"].keys()
    both = reasons("is nearly black; is unlike every picture (2.5 x)", "zh-Hant")
    assert both.startswith(REASONS["nearly black"])
    assert "2.5" in both


def test_a_series_is_taken_away_as_a_structured_report_of_its_patient(client: TestClient) -> None:
    document = post(client, *[(f"{n}.dcm", dicom(HEAD * (3 + n), n)) for n in range(4)])
    answer = client.get(f"/api/v1/readings/{document['id']}/dicom-sr")
    assert answer.status_code == 200, answer.text
    report = pydicom.dcmread(io.BytesIO(answer.content))
    assert (report.Modality, report.PatientName) == ("SR", "Doe^Jane")
    text = str(report)
    best = document["studies"][0]["pooled"]["predicted"]
    assert best in text
    shown = 100 * document["studies"][0]["pooled"]["probabilities"][best]
    assert f"'{shown:.3f}".rstrip("0") in text
    assert "Doe" not in (client.get(f"/api/v1/readings/{document['id']}").text)
    picture = post(client, (SAMPLE.name, SAMPLE.read_bytes()))["id"]
    assert client.get(f"/api/v1/readings/{picture}/dicom-sr").status_code == 422


def test_what_a_reader_says_is_kept_for_training(client: TestClient) -> None:
    document = post(client, (SAMPLE.name, SAMPLE.read_bytes()))
    path = f"/api/v1/readings/{document['id']}/feedback"
    said = {"verdict": "other", "slice": 0, "label": "pituitary", "note": "sella", "reader": "B"}
    assert client.post(path, json=said).status_code == 201
    assert client.post(path, json={"verdict": "agree"}).json() == {"entry": 3}
    first, second = csv.DictReader(io.StringIO(client.get("/api/v1/feedback.csv").text))
    assert (first["label"], first["digest"]) == ("pituitary", document["slices"][0]["digest"])
    assert second["label"] == second["predicted"]
    assert client.post(path, json=said | {"label": "flu"}).status_code == 422
    assert client.post(path, json=said | {"slice": 1}).status_code == 422


def test_pictures_leave_the_memory_and_stay_only_where_asked(
    client: TestClient, model: Path, tmp_path: Path
) -> None:
    document = post(client, (SAMPLE.name, SAMPLE.read_bytes()))
    assert not list((tmp_path / "server").rglob("*.npz"))
    from brainlens.deploy.service.app import create
    from brainlens.deploy.service.desk import Desk
    from brainlens.deploy.service.settings import Settings

    path = f"/api/v1/readings/{document['id']}/slices/0/values"
    for keep, status in ((False, 404), (True, 200)):
        settings = Settings(model, tmp_path / "other", keep_images=keep)
        with TestClient(create(Desk(settings)), base_url="http://localhost") as first:
            name = post(first, (SAMPLE.name, SAMPLE.read_bytes()))["id"]
        with TestClient(create(Desk(settings)), base_url="http://localhost") as second:
            path = f"/api/v1/readings/{name}/slices/0/values"
            assert second.get(path).status_code == status


def test_the_figures_count_what_was_done(client: TestClient) -> None:
    post(client, (SAMPLE.name, SAMPLE.read_bytes()), ("2.jpg", SAMPLE.read_bytes()))
    text = client.get("/metrics").text
    assert "brainlens_slices_total 2.0" in text
    assert 'brainlens_requests_total{method="POST",status="201"} 1.0' in text
    assert client.get("/readyz").json() == {"status": "ready"}


def test_the_samples_are_offered_and_can_be_read(client: TestClient) -> None:
    offered = client.get("/api/v1/samples").json()["samples"]
    assert {one["label"] for one in offered} == set(LABELS)
    content = client.get(f"/api/v1/samples/{offered[0]['name']}").content
    assert post(client, (offered[0]["name"], content))["unreadable"] == []


def test_the_model_in_the_box_sees_what_the_samples_show() -> None:
    shown = samples()
    found = Classifier(box()).classify(list(shown.values()))[0]
    right = [one.finding.predicted == path.parent.name and not one.finding.refusal
             for one, path in zip(found, shown.values(), strict=True)]  # fmt: skip
    assert sum(right) >= 10, right


def test_a_record_is_read_from_an_evaluation_and_names_no_file(tmp_path: Path) -> None:
    assert read_record(tmp_path / "m.onnx", None) is None
    (tmp_path / "m.json").write_text('{"kind": "something"}')
    with pytest.raises(UserError, match=r"is no evaluation\. Make one"):
        read_record(tmp_path / "m.onnx", None)
    with pytest.raises(UserError, match="cannot be read"):
        read_record(tmp_path / "m.onnx", tmp_path / "nothing")
    box_record = read_record(box(), None)
    assert box_record is not None
    evaluation = {
        **box_record["judged"], "kind": "evaluation", "run": "/home/me/run",
        "protocol": {"protocol": "grouped"},
        "reliability": [{"confidence": None, "accuracy": None, "count": 0},
                        {"confidence": 0.9, "accuracy": 0.8, "count": 5}],
        "provenance": {"command": "/home/me/x", "finished": "2026-11-21T10:00:00Z"},
    }  # fmt: skip
    (tmp_path / "metrics.json").write_text(json.dumps(evaluation))
    held = read_record(tmp_path / "m.onnx", tmp_path)
    assert held is not None
    assert held["judged"]["reliability"] == [{"confidence": 0.9, "accuracy": 0.8, "images": 5}]
    assert held["judged"]["measured"] == "2026-11-21T10:00:00Z"
    assert "/home" not in json.dumps(held)
