"""Where the doctor finds weights, models and caches, and what it says of broken ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from brainlens.doctor import stores
from brainlens.doctor.findings import Finding

LITE0 = "tf_efficientnet_lite0.in1k"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every place the doctor looks at lies below the test's own folder."""
    (tmp_path / "weights").mkdir()
    monkeypatch.setenv("BRAINLENS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("BRAINLENS_SHARED", str(tmp_path / "shared"))
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def weights() -> dict[str, Finding]:
    return {one.name: one for one in stores.weights_findings()}


def test_every_file_of_weights_that_something_loads_is_looked_for() -> None:
    from brainlens.classify.backbones import BACKBONES
    from brainlens.generative import lpips
    from brainlens.generative.generators import DEFAULT

    asked = {row.weights for row in BACKBONES.values() if row.weights}
    assert set(stores.WEIGHTS) == asked | {DEFAULT, lpips._NAME}
    for row in BACKBONES.values():
        if row.weights:
            assert stores.DOWNLOADS.get(row.weights, row.weights) == (row.download or row.weights)
    for name, row in BACKBONES.items():
        assert not row.weights or name in stores.WEIGHTS[row.weights]


def test_weights_are_in_the_folder_or_in_the_hub_s_cache_or_missing(places: Path) -> None:
    save_file({"a": np.zeros((10, 10), np.float32)}, places / "weights" / f"{LITE0}.safetensors")
    held = places / "hub" / "models--timm--mobilenetv2_100.ra_in1k" / "snapshots" / "1"
    held.mkdir(parents=True)
    (held / "model.safetensors").write_bytes(b"")
    found = weights()
    assert found[LITE0].state == "ok"
    assert "in the folder" in found[LITE0].got
    assert "in the hub's cache" in found["mobilenetv2_100.tv_in1k"].got
    vgg = found["vgg16.tv_in1k"]
    assert vgg.state == "missing"
    assert "create_model('vgg16.tv_in1k', pretrained=True)" in vgg.mend
    assert str(places / "weights" / "vgg16.tv_in1k.safetensors") in vgg.mend
    assert "create_model" not in found["rrdb_x4.realsr_df2k"].mend  # timm has none


def test_a_file_of_weights_that_was_cut_short_is_wrong(places: Path) -> None:
    file = places / "weights" / f"{LITE0}.safetensors"
    save_file({"a": np.zeros((10, 10), np.float32)}, file)
    assert stores.damaged(file) == ""
    file.write_bytes(file.read_bytes()[:-1])
    assert weights()[LITE0].state == "wrong"
    for content in (b"", b"no weights at all", b"\x02\0\0\0\0\0\0\0[]", b"\xff" * 16):
        file.write_bytes(content)
        assert stores.damaged(file) == "is no safetensors file"


def test_a_named_folder_that_is_not_there_is_a_finding_and_no_error(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINLENS_WEIGHTS", str(places / "nowhere"))
    (only,) = stores.weights_findings()
    assert (only.state, only.mend) == ("wrong", "unset BRAINLENS_WEIGHTS")


def test_the_model_in_the_box_is_named_by_its_digest() -> None:
    from brainlens.deploy.answering import box
    from brainlens.deploy.stylist import SHIPPED

    model, painter = stores.box_findings()
    assert model.values["sha256"] == hashlib.sha256(box().read_bytes()).hexdigest()
    assert (model.name, painter.name) == ("default.onnx", SHIPPED)


def test_a_model_that_changed_since_it_was_installed_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stores, "_recorded", lambda name: "another-digest")
    assert [one.state for one in stores.box_findings()] == ["wrong", "wrong"]


def test_caches_are_counted(places: Path) -> None:
    held = places / "cache" / "pictures" / "deep"
    held.mkdir(parents=True)
    (held / "a.npy").write_bytes(b"x" * 1500)
    (held / "b.npy").write_bytes(b"x" * 500)
    found = {one.name: one for one in stores.place_findings()}
    assert found["cache of pictures"].values["bytes"] == 2000
    assert "2.0 kB in 2 files" in found["cache of pictures"].got
    assert found["cache of features"].got.endswith("nothing yet")


def test_a_cache_that_cannot_be_is_wrong(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (places / "file").write_text("no folder")
    monkeypatch.setenv("BRAINLENS_CACHE", str(places / "file"))
    assert stores.place_findings()[-1].state == "wrong"


def test_counting_stops_when_it_takes_too_long(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (places / "many" / name).mkdir(parents=True)
        (places / "many" / name / "file").write_text("1")
    (places / "many" / "first").write_text("1")
    monkeypatch.setattr(stores, "PATIENCE", -1.0)
    assert stores._measured(places / "many") == (1, 1, False)
