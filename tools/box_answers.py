"""Compares models on validation: `python -m tools.box_answers OUT INDEX OUTLINES MODEL...`.

Each MODEL is an export or a run folder that did not learn from the validation rows of INDEX. Told
for each, over those rows as they are: accuracy, log loss, and how well it tells tumour from none;
and, over those that OUTLINES outline, how well it tells each from its own scan with the tumour
painted out (AUROCs). What ships is chosen by this alone. Writes OUT (JSON), prints it as a table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from brainlens.classify.inference import probabilities
from brainlens.classify.network import load
from brainlens.classify.outlined import checked_data
from brainlens.classify.training import class_numbers
from brainlens.core.files import write_json
from brainlens.core.provenance import now, versions
from brainlens.data.index import Index, read_index
from brainlens.data.preprocess import Array, Preprocessing
from brainlens.deploy.classifier import Classifier
from brainlens.metrics.temperature import softmax
from brainlens.report.columns import aligned

BACKGROUND = "none"


class Model(NamedTuple):
    """What answers: (N, size, size) uint8 to (N, K) probabilities."""

    labels: list[str]
    preprocessing: Preprocessing
    answer: Callable[[Array], Array]


def main() -> None:
    """Judge each, write."""
    out, index, outlines, *models = sys.argv[1:]
    table = read_index(Path(index))
    told = {name: judged(model(Path(name)), table, outlines) for name in models}
    write_json(Path(out), {
        "command": "python -m tools.box_answers " + " ".join(sys.argv[1:]),
        "index": table.digest(), "versions": versions(), "measured": now(), "models": told,
    })  # fmt: skip
    head = ["model", *next(iter(told.values()))]
    print(aligned([head, *([name, *(f"{v:.4g}" for v in own.values())]
                           for name, own in told.items())]))  # fmt: skip


def model(path: Path) -> Model:
    """An export, or a run."""
    if path.suffix == ".onnx":
        kept = Classifier(path)
        return Model(
            kept.labels, kept.preprocessing,
            lambda pictures: softmax(kept.run(pictures)[0], kept.temperature),
        )  # fmt: skip
    run = load(path / "model.safetensors")
    return Model(run.labels, run.preprocessing, lambda pictures: probabilities(run, pictures))


def judged(own: Model, index: Index, outlines: str) -> dict[str, float]:
    """Its figures on the validation rows."""
    rows = [row for row in index.of("val") if row.label in own.labels]
    none = own.labels.index(BACKGROUND)
    numbers = class_numbers(rows, own.labels)
    val = checked_data(index, rows, numbers, own.preprocessing, outlines, background=none, seed=0)
    p = own.answer(val.pictures)
    real, healed = p[: val.real], p[val.real :]
    right = real[np.arange(len(real)), numbers]
    sick, mended = 1 - real[:, none], 1 - healed[:, none]
    told = {
        "images": len(real),
        "accuracy": float((real.argmax(1) == numbers).mean()),
        "log loss": float(-np.log(np.maximum(right, 1e-9)).mean()),
        "tumour from none": float(roc_auc_score(numbers != none, sick)),
        "painted out": len(healed),
    }
    if len(healed):
        tumours = sick[numbers != none]
        true = np.repeat([1, 0], [len(tumours), len(mended)])
        told |= {
            "tumour from painted out": float(roc_auc_score(true, np.r_[tumours, mended])),
            "painted out called a tumour": float((mended > 0.5).mean()),
        }
    return told


if __name__ == "__main__":
    main()
