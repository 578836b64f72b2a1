"""Owns the export of a run: one ONNX file that answers without torch, and knows what it is.

Enters: a run folder whose validation images are at hand. Leaves: `model.onnx`, with labels,
preprocessing, temperature, conformal scores, index digest and the parity with torch in its
metadata. Nothing is exported that does not answer as the run does.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainlens.classify.network import Loaded, load
from brainlens.classify.run import read_provenance
from brainlens.core.errors import BrainlensError, OutputError, RunError
from brainlens.core.files import replacing
from brainlens.core.provenance import provenance
from brainlens.data.index import read_index
from brainlens.data.pictures import pictures
from brainlens.data.preprocess import Array
from brainlens.deploy.classifier import KEY, Classifier
from brainlens.metrics.temperature import conformity, fit_temperature, log_loss, softmax

PARITY = 1e-3  # largest difference of a logit between torch and the export
_BATCH = 32


def export(run: Path, out: Path, *, overwrite: bool = False) -> dict[str, Any]:
    """Write a run as ONNX; answers what its metadata holds.

    Raises RunError for a run without validation images, OutputError for a used file.
    """
    if out.suffix != ".onnx":
        raise OutputError(f"{out}: got no .onnx name; expected one, as in -o model.onnx")
    if out.exists() and not overwrite:
        raise OutputError(f"{out}: exists. Give --overwrite to replace it, or another -o")
    record, model = read_provenance(run), load(run / "model.safetensors")
    index = read_index(run / "index.csv")
    rows = index.of("val")
    if not rows:
        raise RunError(f"{run}: has no validation images to calibrate with. Train it again")
    seen = pictures(index, rows, model.preprocessing)
    true = np.array([model.labels.index(row.label) for row in rows])
    logits = _logits(model, seen)
    temperature = fit_temperature(logits, true)
    meaning = {
        "kind": "classifier",
        "labels": model.labels,
        "preprocessing": model.preprocessing.to_dict(),
        "temperature": temperature,
        "conformal": [round(s, 6) for s in conformity(softmax(logits, temperature), true).tolist()],
        "calibration": {
            "images": len(rows),
            "log loss before": log_loss(logits, true),
            "log loss after": log_loss(logits, true, temperature),
        },
        "architecture": asdict(model.architecture),
        "index": record["index"],
        "provenance": provenance("export", record["seed"], record["started"], 0.0),
        "use": "research use, not a medical device",
    }
    graph = _graph(model)
    with replacing(out) as temporary:
        _write(graph, meaning, temporary)
        meaning["parity"] = _parity(temporary, seen, logits)
        _write(graph, meaning, temporary)
    return meaning


def _logits(model: Loaded, seen: Array) -> Array:
    """(N, K) logits of the run itself, on the CPU in fp32."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(seen), _BATCH):
            x = model.preprocessing.tensor(np.asarray(seen[start : start + _BATCH]))
            parts.append(model.network.cpu()(torch.from_numpy(x)).numpy())
    return np.concatenate(parts)


def _graph(model: Loaded) -> Any:
    """The network as an ONNX graph with a free batch size."""
    size = model.preprocessing.size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of its own future
        program = torch.onnx.export(
            model.network, (torch.zeros(2, 3, size, size),), dynamo=True, verbose=False,
            dynamic_shapes=({0: torch.export.Dim("images", min=1)},),
            input_names=["pictures"], output_names=["logits"], external_data=False,
        )  # fmt: skip
    assert program is not None
    return program.model_proto


def _write(graph: Any, meaning: dict[str, Any], path: Path) -> None:
    """The graph with its meaning."""
    import onnx

    onnx.helper.set_model_props(graph, {KEY: json.dumps(meaning)})
    onnx.save(graph, str(path))


def _parity(path: Path, seen: Array, logits: Array) -> dict[str, float]:
    """How far the export's logits are from the run's on real images."""
    some = slice(0, 2 * _BATCH)
    own = Classifier(path).logits(np.asarray(seen[some]))
    apart = float(np.abs(own - logits[some]).max())
    if apart > PARITY:
        raise BrainlensError(
            f"the export's logits differ from the run's by {apart:.2g} (at most {PARITY:g} is "
            "sound); nothing was written"
        )
    return {"images": len(own), "largest difference of a logit": apart}
