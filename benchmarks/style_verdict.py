"""Does harmonising scans help a classifier that learnt from another source?

    python -m benchmarks.style_verdict INDEX CLASSIFIER STYLE-RUN -o FILE [--direction photo]

Test rows of INDEX, the index whose training rows the generator learnt from, go to the classifier
as they are and after the generator; those of a group that CLASSIFIER has seen are left out. Right
is the row's own class; of a row labelled `tumour` any class but `none`. Intervals are percentile
bootstraps over groups, differences are paired: the same scans, the same draws.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.upscale_verdict import unseen
from brainlens.classify.inference import probabilities
from brainlens.classify.network import Loaded, load
from brainlens.core.files import write_json
from brainlens.core.progress import track
from brainlens.core.provenance import now, provenance
from brainlens.data.index import read_index
from brainlens.generative.harmonising import harmonised
from brainlens.generative.stylegenerators import load_direction
from brainlens.generative.stylepictures import read_colour
from brainlens.metrics.classification import auroc
from brainlens.metrics.resampling import group_draws, interval

Array = np.ndarray[Any, Any]
_RESAMPLES = 2000
_NONE = "none"
AS_IS, CHANGED = "as it is", "harmonised"


def asked_of(model: Loaded, pictures: list[Array]) -> Array:
    """(N, K) probabilities of grey scans of any size."""
    return probabilities(model, np.stack([model.preprocessing.picture(one) for one in pictures]))


def right(table: Array, truth: list[str], labels: tuple[str, ...]) -> Array:
    """Whether each scan's likeliest class is its own, or any tumour for `tumour`, (N,) of 0, 1."""
    told = [labels[i] for i in table.argmax(1)]
    return np.array([float(t == own or (own == "tumour" and t != _NONE))
                     for t, own in zip(told, truth, strict=True)])  # fmt: skip


def figures(
    table: Array, truth: list[str], labels: tuple[str, ...], weight: Array
) -> dict[str, Array]:
    """Each figure under every row of `weight` (B, N): accuracy, and any tumour against none."""
    ill = np.array([own != _NONE for own in truth])
    told = np.array([labels[i] != _NONE for i in table.argmax(1)])
    hit = right(table, truth, labels)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "accuracy": weight @ hit / weight.sum(1),
            "sensitivity": weight[:, ill] @ told[ill] / weight[:, ill].sum(1),
            "specificity": weight[:, ~ill] @ ~told[~ill] / weight[:, ~ill].sum(1),
            "auroc": auroc(1 - table[:, labels.index(_NONE)], ill, weight),
        }


def compared(tables: dict[str, Array], truth: list[str], groups: list[str],
             labels: tuple[str, ...], seed: int) -> dict[str, Any]:  # fmt: skip
    """Every figure of both arms and their paired difference, with intervals."""
    names = sorted(set(groups))
    own = np.array([names.index(group) for group in groups])
    draws = group_draws(len(names), _RESAMPLES, seed)[:, own]
    weight = np.vstack([np.ones(len(groups)), draws])  # the first is the sample itself
    arms = {name: figures(table, truth, labels, weight) for name, table in tables.items()}
    arms["difference"] = {key: arms[CHANGED][key] - value for key, value in arms[AS_IS].items()}
    return {
        arm: {key: _figure(values) for key, values in found.items()} for arm, found in arms.items()
    }


def _figure(values: Array) -> dict[str, float | None]:
    low, high = interval(values[1:]) or (None, None)
    return {"value": float(values[0]), "low": low, "high": high}


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.style_verdict", description=__doc__)
    parser.add_argument("index", type=Path)
    parser.add_argument("classifier", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--direction", choices=["painting", "photo"], default="painting")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Measure, print, write."""
    asked, started, clock = _asked(), now(), time.monotonic()
    index, model = read_index(asked.index), load(asked.classifier / "model.safetensors")
    network, meaning = load_direction(asked.style, f"to_{asked.direction}")
    rows = unseen(index, [asked.classifier])
    labels = tuple(model.labels)
    before = [read_colour(index.file(row), grey=True) for row in rows]
    after = [harmonised(network, one, int(meaning["multiple"]))[..., 0]
             for one in track(before, "harmonising", len(before))]  # fmt: skip
    tables = {AS_IS: asked_of(model, [one[..., 0] for one in before]),
              CHANGED: asked_of(model, after)}  # fmt: skip
    truth, groups = [row.label for row in rows], [row.group for row in rows]
    result = provenance("style-verdict", asked.seed, started, time.monotonic() - clock) | {
        "command": " ".join(["python -m benchmarks.style_verdict", *sys.argv[1:]]),
        "direction": asked.direction,
        "scans": len(rows),
        "groups": len(set(groups)),
        "classes": {label: truth.count(label) for label in sorted(set(truth))},
        "index_digest": index.digest(),
        "style": {key: meaning[key] for key in ("steps", "data")},
        "arms": compared(tables, truth, groups, labels, asked.seed),
    }
    print(json.dumps(result["arms"], indent=1))
    write_json(asked.out, result)


if __name__ == "__main__":
    main()
