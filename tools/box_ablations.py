"""Takes the model in the box apart: `python -m tools.box_ablations JUDGED INDEX OUT [LINEAR]`.

JUDGED is its run folder, LINEAR the same run before a plain classifier was asked about the whole
picture, when a linear reading of its own features was. Each way of answering is judged on the test
rows of INDEX, of patients never seen, and on another hospital's contrast slices. Nothing is chosen
by them. Writes OUT (JSON) and prints it as a table.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainlens.classify.dense import DenseClassifier
from brainlens.classify.inference import probabilities
from brainlens.classify.network import Loaded, load
from brainlens.core.files import write_json
from brainlens.core.images import read_grey
from brainlens.core.provenance import now, versions
from brainlens.data.answers import plain_findings
from brainlens.data.index import read_index
from brainlens.data.preprocess import Array
from brainlens.metrics.judgement import judge
from brainlens.report.columns import aligned
from tools.box_results import both_ways, volume_slices

# Of the evidence, of the whole picture and a constant for a tumour; of both for its kind.
TRUST: dict[str, tuple[float, ...] | None] = {
    "both, as it ships": None,
    "evidence place by place alone": (1, 0, 0, 1, 0),
    "the plain classifier alone": (0, 1, 0, 0, 1),
}
Answered = Callable[[list[Array]], Array]


def main() -> None:
    """Judge every way and write."""
    run, index, out, *linear = map(Path, sys.argv[1:])
    table = read_index(index)
    model = load(run / "model.safetensors")
    rows = [row for row in table.of("test") if row.label in model.labels]
    greys = [read_grey(table.file(row)) for row in rows]
    true = np.array([model.labels.index(row.label) for row in rows])
    group = np.unique([row.group for row in rows], return_inverse=True)[1]
    slices = list(volume_slices())
    seen = [one.picture.grey for one in slices]
    ways = {name: trusted(model, trust) for name, trust in TRUST.items()}
    small = dataclasses.replace(model.preprocessing, size=224)
    ways["both, at 224 pixels"] = trusted(dataclasses.replace(model, preprocessing=small), None)
    if linear:
        before = load(linear[0] / "model.safetensors")
        ways["a linear reading in the classifier's place"] = trusted(before, None)
    told = {}
    for name, way in ways.items():
        judged = judge(true, way(greys), group, model.labels)["metrics"]
        told[name] = {
            "accuracy": judged["accuracy"], "ece": judged["ece"],
            "elsewhere": both_ways(slices, plain_findings(way(seen), model.labels)),
        }  # fmt: skip
        print(*("  ".join(cells) for cells in _lines({name: told[name]})[1:]), flush=True)
    write_json(out, {
        "command": "python -m tools.box_ablations " + " ".join(sys.argv[1:]),
        "versions": versions(), "measured": now(), "test images": len(rows), "ways": told,
    })  # fmt: skip
    print(aligned(_lines(told)))


def trusted(model: Loaded, trust: tuple[float, ...] | None) -> Answered:
    """The model's probabilities of grey pictures, believing as much of each opinion as `trust`."""

    def answer(greys: list[Array]) -> Array:
        network = model.network
        seen = np.stack([model.preprocessing.picture(grey) for grey in greys])
        if trust is None or not isinstance(network, DenseClassifier):
            return probabilities(model, seen)
        kept = network.trust.clone()
        with torch.no_grad():
            network.trust.copy_(torch.tensor(trust))
            table = probabilities(model, seen)
            network.trust.copy_(kept)
        return table

    return answer


def _lines(told: dict[str, Any]) -> list[list[str]]:
    head = ["way", "accuracy % (95 %)", "ECE %", "AUROC elsewhere", "with neighbours"]
    rows = [head]
    for name, own in told.items():
        low, high = (100 * own["accuracy"][key] for key in ("low", "high"))
        right = f"{100 * own['accuracy']['value']:.1f} ({low:.1f} to {high:.1f})"
        areas = [f"{own['elsewhere'][key]['AUROC']:.3f}" for key in ("alone", "in context")]
        rows.append([name, right, f"{100 * own['ece']['value']:.1f}", *areas])
    return rows


if __name__ == "__main__":
    main()
