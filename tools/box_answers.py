"""Chooses how the model in the box answers: `python -m tools.box_answers RUN OUT SIZE...`.

RUN is a dense run with its second opinion; each SIZE (pixels a side) is tried for both together.
Told for each: accuracy and log loss on RUN's validation pictures as they are, and the share of the
healed ones that are called a tumour. Nothing but validation is read. Writes OUT (JSON), prints it.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.classify.config import TrainConfig
from brainlens.classify.context import second_opinion
from brainlens.classify.inference import probabilities
from brainlens.classify.network import load
from brainlens.classify.outlined import checked_data
from brainlens.classify.training import class_numbers
from brainlens.core.config import read_toml, resolve
from brainlens.core.files import write_json
from brainlens.core.provenance import now, versions
from brainlens.data.index import read_index
from brainlens.report.tables import aligned


def main() -> None:
    """Weigh the opinions anew at each size, judge, write."""
    run, out, *sizes = sys.argv[1:]
    told = {f"{size} pixels": weighed(Path(run), int(size)) for size in sizes}
    write_json(Path(out), {
        "command": "python -m tools.box_answers " + " ".join(sys.argv[1:]),
        "versions": versions(), "measured": now(), "ways": told,
    })  # fmt: skip
    head = ["way", "accuracy", "log loss", "healed called a tumour"]
    print(aligned([head, *([name, *(f"{v:.4f}" for v in own.values() if isinstance(v, float))]
                           for name, own in told.items())]))  # fmt: skip


def weighed(run: Path, size: int) -> dict[str, Any]:
    """RUN's answers on its validation pictures when both opinions are weighed at this size."""
    config = dataclasses.replace(
        resolve(TrainConfig, read_toml(run / "config.toml")), answer_size=size
    )
    kept = load(run / "model.safetensors")
    index = read_index(run / "index.csv")
    rows = [row for row in index.of("val") if row.label in kept.labels]
    numbers = class_numbers(rows, kept.labels)
    second = [load(Path(one) / "model.safetensors") for one in config.second]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copy(run / "model.safetensors", copy)
        trust = second_opinion(copy, index, {"val": rows}, {"val": numbers}, config, second)
        model = load(copy / "model.safetensors")
    val = checked_data(
        index, rows, numbers, model.preprocessing, config.outlines,
        background=kept.labels.index(config.background), seed=config.seed,
    )  # fmt: skip
    p = probabilities(model, val.pictures)
    real = np.arange(len(val.classes)) < val.real
    right = p[np.arange(len(p)), val.classes]
    none = p[:, kept.labels.index(config.background)]
    return {
        "accuracy": float((p[real].argmax(1) == val.classes[real]).mean()),
        "log loss": float(-np.log(np.maximum(right[real], 1e-9)).mean()),
        "healed called a tumour": float((none[~real] < 0.5).mean()),
        "pictures": [int(real.sum()), int((~real).sum())], "trust": trust,
    }  # fmt: skip


if __name__ == "__main__":
    main()
