"""An export answers as its run does, without torch, and refuses to be taken for something else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from brainlens.classify.predictor import Predictor
from brainlens.classify.training import train
from brainlens.core.errors import OutputError, RunError, UserError
from brainlens.data.index import read_index
from brainlens.deploy.classifier import Classifier
from brainlens.deploy.export import export
from tests.classify.conftest import TINY, draw, split_index
from tests.loading import HEAVY, loaded


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny run and its export."""
    folder = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAINLENS_CACHE", str(folder / "cache"))
        index = split_index(folder, draw(folder / "pictures"))
        train(index, folder / "run", dataclasses.replace(TINY, epochs=2))
        export(folder / "run", folder / "model.onnx")
    return folder


def test_probabilities_are_those_of_the_run_but_for_the_temperature(place: Path) -> None:
    files = sorted((place / "pictures" / "none").glob("*.png"))[:5]
    theirs, _ = Predictor(place / "run").classify(files)
    model = Classifier(place / "model.onnx")
    ours, _ = model.classify(files)
    for one, other in zip(ours, theirs, strict=True):
        logits = np.log(list(other.finding.probabilities.values())) / model.temperature
        expected = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(list(one.finding.probabilities.values()), expected, atol=1e-5)
        assert one.finding.predicted == other.finding.predicted


def test_the_export_knows_its_data_and_that_it_is_true_to_the_run(place: Path) -> None:
    meaning = Classifier(place / "model.onnx").meaning
    assert meaning["labels"] == ["glioma", "none"]
    assert meaning["index"]["digest"] == read_index(place / "run" / "index.csv").digest()
    assert meaning["parity"]["largest difference of a logit"] < 1e-4
    held = meaning["calibration"]
    assert held["log loss after"] <= held["log loss before"]


def test_eight_bits_are_smaller_nearly_as_right_and_say_what_they_cost(place: Path) -> None:
    made = export(place / "run", place / "small.onnx", weights="int8")
    small, whole = (onnx.load(place / name) for name in ("small.onnx", "model.onnx"))
    kinds = {node.op_type for node in small.graph.node}
    assert "QuantizeLinear" in kinds
    assert sum(w.ByteSize() for w in small.graph.initializer) < 0.7 * sum(
        w.ByteSize() for w in whole.graph.initializer
    )
    parity = made["parity"]
    assert parity["largest difference of a logit"] > 1e-3
    assert abs(parity["accuracy of the export"] - parity["accuracy of the run"]) <= 0.25
    files = sorted((place / "pictures" / "none").glob("*.png"))[:5]
    ours, theirs = (
        Classifier(place / name).classify(files)[0] for name in ("small.onnx", "model.onnx")
    )
    apart = [
        abs(one.finding.probabilities["none"] - other.finding.probabilities["none"])
        for one, other in zip(ours, theirs, strict=True)
    ]
    assert max(apart) < 0.2


def test_weights_stored_in_eight_bits_are_a_quarter_and_the_sums_as_ever(place: Path) -> None:
    made = export(place / "run", place / "stored.onnx", weights="int8-stored")
    kept, whole = (onnx.load(place / name).graph for name in ("stored.onnx", "model.onnx"))
    assert not {"QuantizeLinear", "DequantizeLinear"} & {node.op_type for node in kept.node}
    assert 0 < made["parity"]["largest difference of a logit"] < 0.1
    (large,) = [w for w in whole.initializer if w.name == "network.head.0.weight"]
    values, (small, scale) = numpy_helper.to_array(large), (
        numpy_helper.to_array(w) for end in ("int8", "scale")
        for w in kept.initializer if w.name == f"{large.name}/{end}"
    )  # fmt: skip
    assert small.dtype == np.int8
    assert (np.abs(small * scale - values) <= scale * 0.5001).all()
    assert np.abs(small).max() == 127
    file = next((place / "pictures" / "none").glob("*.png"))
    ours, theirs = (
        Classifier(place / name).classify([file])[0][0].finding.probabilities["none"]
        for name in ("stored.onnx", "model.onnx")
    )
    assert ours == pytest.approx(theirs, abs=0.02)


def test_a_conformal_set_grows_with_the_coverage_asked(place: Path) -> None:
    files = sorted((place / "pictures").rglob("*.png"))
    model = Classifier(place / "model.onnx")
    sizes = []
    for coverage in (0.3, 0.8, 0.99):
        found, _ = model.classify(files, coverage=coverage)
        findings = [answer.finding for answer in found]
        sizes.append(sum(len(one.candidates) for one in findings))
        assert all(not one.candidates or one.candidates[0] == one.predicted for one in findings)
    assert sizes[0] <= sizes[1] <= sizes[2]
    assert sizes[2] == 2 * len(files)  # 8 validation images allow no promise of 99 %: every class
    with pytest.raises(UserError, match="between 0 and 1"):
        model.classify(files, coverage=95)


def test_predicting_with_an_export_loads_no_torch(place: Path) -> None:
    image = next((place / "pictures" / "none").glob("*.png"))
    words = ["predict", "--json", "--coverage", "0.5", "--model", str(place / "model.onnx")]
    modules, done = loaded([*words, str(image)])
    (answer,) = json.loads(done.stdout)
    assert set(answer["probabilities"]) == {"glioma", "none"}
    needed = {"numpy", "PIL", "onnxruntime", "openvino"}
    assert not (HEAVY - needed) & modules


def test_a_used_name_another_suffix_and_another_file_are_refused(place: Path) -> None:
    with pytest.raises(OutputError, match="--overwrite"):
        export(place / "run", place / "model.onnx")
    with pytest.raises(OutputError, match=r"no \.onnx name"):
        export(place / "run", place / "model.bin")
    with pytest.raises(RunError, match="is no run"):
        export(place / "pictures", place / "other.onnx")
    assert not (place / "other.onnx").exists()
    broken = place / "broken.onnx"
    broken.write_bytes((place / "model.onnx").read_bytes()[:2000])
    with pytest.raises(RunError, match="is no export of a classifier"):
        Classifier(broken)
    with pytest.raises(RunError, match="no such file"):
        Classifier(place / "absent.onnx")
