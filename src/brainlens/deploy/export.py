"""Owns the export of a run: one ONNX file that answers without torch, and knows what it is.

Enters: a run folder whose images are at hand. Leaves: `model.onnx`, with labels, preprocessing,
temperature, conformal scores, the limit of novelty, the bank of training embeddings, the index's
digest and the parity with torch in its metadata. Nothing is exported that does not answer as the
run does.
"""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from brainlens.classify.explained import Explained, features
from brainlens.classify.explained import logits as ask
from brainlens.classify.network import Loaded, load
from brainlens.classify.run import read_provenance
from brainlens.core.errors import BrainlensError, OutputError, RunError
from brainlens.core.files import replacing
from brainlens.core.provenance import provenance
from brainlens.data.index import Index, Row, read_index
from brainlens.data.pictures import pictures
from brainlens.data.preprocess import Array, Preprocessing
from brainlens.deploy.answering import BACKGROUND
from brainlens.deploy.classifier import KEY
from brainlens.deploy.graphs import bare, merged
from brainlens.deploy.quantising import quantised
from brainlens.deploy.storing import stored
from brainlens.metrics.calibration import reliability
from brainlens.metrics.novelty import distances, novelty, threshold
from brainlens.metrics.temperature import conformity, fit_temperature, log_loss, softmax

Weights = Literal["float32", "float16", "int8-stored", "int8"]
# The largest difference of a logit between torch and the export. With 8 bits every answer moves a
# little: what it costs is said in right answers instead.
PARITY: dict[Weights, float] = {
    "float32": 1e-3, "float16": 0.1, "int8-stored": np.inf, "int8": np.inf,
}  # fmt: skip
KEPT = 0.985  # share of the validation images that are not too new to be judged
_BATCH = 16


def export(
    run: Path, out: Path, *, weights: Weights = "float32", overwrite: bool = False
) -> dict[str, Any]:
    """Write a run as ONNX; answers what its metadata holds.

    `weights` of 16 bits, and `int8-stored`, are made 32 again as the file is opened; with `int8`
    the network counts in 8 bits too.

    Raises RunError for a run without validation images, OutputError for a used file.
    """
    if out.suffix != ".onnx":
        raise OutputError(f"{out}: got no .onnx name; expected one, as in -o model.onnx")
    if out.exists() and not overwrite:
        raise OutputError(f"{out}: exists. Give --overwrite to replace it, or another -o")
    record, model = read_provenance(run), load(run / "model.safetensors")
    index = read_index(run / "index.csv")
    rows = [row for row in index.of("val") if row.label in model.labels]
    if not rows:
        raise RunError(f"{run}: has no validation images to calibrate with. Train it again")
    network, bank = _embedded(model, index)
    seen = pictures(index, rows, model.preprocessing)
    true = np.array([model.labels.index(row.label) for row in rows])
    graph = _graph(model, network)
    if weights in ("float16", "int8-stored"):
        stored(graph, eight=weights == "int8-stored")
    if weights == "int8":
        graph = quantised(
            graph, pictures(index, index.of("train"), model.preprocessing), model.preprocessing
        )
    logits, embedding = _answers(graph, seen, model.preprocessing)
    run_logits = ask(model, network, seen)
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
        "reliability": _reliability(softmax(logits, temperature), true),
        "operating": _operating(softmax(logits, temperature), true, model.labels),
        "novelty": {
            "limit": threshold(novelty(distances(embedding, bank["vectors"])), KEPT),
            "kept": KEPT,
        },
        "bank": _packed(bank["vectors"], index.of("train")),
        "background": model.architecture.background,
        "architecture": asdict(model.architecture),
        "weights": weights,
        "parity": _parity(logits, run_logits, true, PARITY[weights]),
        "index": {key: value for key, value in record["index"].items() if key != "path"},
        "provenance": provenance("export", record["seed"], record["started"], 0.0),
        "use": "research use, not a medical device",
    }
    with replacing(out) as temporary:
        _write(graph, meaning, temporary)
    return meaning


def _embedded(model: Loaded, index: Index) -> tuple[Explained, dict[str, Array]]:
    """The network with its projection fitted to the training images, and their embeddings."""
    network = Explained(model.network)
    seen = pictures(index, index.of("train"), model.preprocessing)
    read = features(model, network, seen)
    network.fit(read)
    assert network.projection is not None
    with torch.inference_mode():
        vectors = network.projection(torch.from_numpy(read)).numpy()
    return network, {"vectors": vectors.astype(np.float16).astype(np.float32)}


def _reliability(table: Array, true: Array) -> list[dict[str, Any]]:
    """How often the answers of each confidence were right in validation; empty bins left out."""
    bins = reliability(table.max(1), table.argmax(1) == true)
    return [
        {"confidence": one["confidence"], "accuracy": one["accuracy"], "images": one["count"]}
        for one in bins
        if one["count"]
    ]


def _operating(table: Array, true: Array, labels: Sequence[str]) -> dict[str, Any] | None:
    """How often a tumour and its absence were seen in validation; None without a background."""
    if BACKGROUND not in labels:
        return None
    healthy, said = true == labels.index(BACKGROUND), table[:, labels.index(BACKGROUND)] > 0.5
    return {
        "images": len(true),
        "sensitivity": float((~said[~healthy]).mean()) if (~healthy).any() else 0.0,
        "specificity": float(said[healthy].mean()) if healthy.any() else 0.0,
    }


def _packed(vectors: Array, rows: Sequence[Row]) -> dict[str, Any]:
    """The bank as text: 16 bits a number, and of each image only its label and digest."""
    return {
        "dimensions": int(vectors.shape[1]),
        "float16": base64.b64encode(vectors.astype("<f2").tobytes()).decode(),
        "labels": [row.label for row in rows],
        "names": [row.pixel_digest[:12] for row in rows],
    }


def _graph(model: Loaded, network: Explained) -> Any:
    """The network as an ONNX graph with a free batch size."""
    size = model.preprocessing.size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of its own future
        program = torch.onnx.export(
            network, (torch.zeros(2, 3, size, size),), dynamo=True, verbose=False,
            dynamic_shapes=({0: torch.export.Dim("images", min=1)},),
            input_names=["pictures"], output_names=["logits", "evidence", "embedding"],
            external_data=False,
        )  # fmt: skip
    assert program is not None
    return merged(bare(program.model_proto))


def _write(graph: Any, meaning: dict[str, Any], path: Path) -> None:
    """The graph with its meaning."""
    import onnx

    onnx.helper.set_model_props(graph, {KEY: json.dumps(meaning)})
    onnx.save(graph, str(path))


def _answers(graph: Any, seen: Array, preprocessing: Preprocessing) -> tuple[Array, Array]:
    """Logits and embedding of (N, size, size) uint8 by the graph itself: what will be answered."""
    import onnxruntime

    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), quiet, providers=["CPUExecutionProvider"]
    )
    parts = [
        session.run(["logits", "embedding"], {"pictures": preprocessing.tensor(np.asarray(some))})
        for some in np.split(seen, range(_BATCH, len(seen), _BATCH))
    ]
    logits, embedding = zip(*parts, strict=True)
    return np.concatenate(logits), np.concatenate(embedding)


def _parity(own: Array, run: Array, true: Array, limit: float) -> dict[str, float]:
    """How far the export's logits are from the run's, and how often either is right."""
    apart = float(np.abs(own - run).max())
    if apart > limit:
        raise BrainlensError(
            f"the export's logits differ from the run's by {apart:.2g} (at most {limit:g} is "
            "sound); nothing was written"
        )
    return {
        "images": len(own),
        "largest difference of a logit": apart,
        "accuracy of the run": float((run.argmax(1) == true).mean()),
        "accuracy of the export": float((own.argmax(1) == true).mean()),
    }
