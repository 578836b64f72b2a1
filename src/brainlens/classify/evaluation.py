"""Owns the evaluation stage: a run and an index in, predictions and figures with intervals out.

Images that the run may have seen, as a copy, a twin or through a patient, are found first: they are
an error unless allowed, and then told apart in every figure. The certificate says what was checked.
"""

from __future__ import annotations

import csv
import dataclasses
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainlens.classify import machine
from brainlens.classify.boundary import steps
from brainlens.classify.config import TrainConfig
from brainlens.classify.features import extractor, features, too_large
from brainlens.classify.inference import probabilities
from brainlens.classify.network import Classifier, Loaded, load
from brainlens.classify.robustness import degradation_curves
from brainlens.classify.run import read_provenance
from brainlens.core.config import read_toml, resolve
from brainlens.core.errors import IndexFileError, LeakError, RunError, nearest
from brainlens.core.files import fresh_folder, write_json
from brainlens.core.provenance import now, provenance
from brainlens.core.seeding import derive
from brainlens.data.crosscheck import Crosscheck, crosscheck
from brainlens.data.index import SPLITS, Index, Row, read_index
from brainlens.data.labels import source_of
from brainlens.data.pictures import pictures
from brainlens.data.predictions import write_predictions
from brainlens.data.preprocess import Array
from brainlens.data.split import read_record
from brainlens.metrics.judgement import LEVEL, RESAMPLES, SEED, judge


def evaluate(
    run: Path,
    index_path: Path,
    out: Path,
    *,
    split: str = "test",
    allow_leaks: bool = False,
    degrade: bool = False,
    images: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Judge a run on one split; answers what `metrics.json` holds.

    `degrade` judges the same images under graded blur, noise and the like, too; with `images` only
    about so many are judged, in whole groups drawn by chance.
    Raises LeakError for images seen in training, unless `allow_leaks`; RunError for a run of
    other classes.
    """
    began, started = time.monotonic(), now()
    record, model = read_provenance(run), load(run / "model.safetensors")
    index = read_index(index_path)
    whole = _rows(index, split, index_path, model)
    rows = _drawn(whole, images)
    checked = find_leaks(run, index, rows, split)
    if checked.seen and not allow_leaks:
        raise _leak_error(checked)
    fresh_folder(out, overwrite=overwrite, kind="evaluation")
    table = _table(run, model, index, rows)
    true = np.array([model.labels.index(row.label) for row in rows])
    group = np.unique([row.group for row in rows], return_inverse=True)[1]
    seen = np.array([row.path in checked.seen for row in rows])
    figures = {
        "kind": "evaluation",
        "run": str(run),
        "split": split,
        "labels": model.labels,
        "images": len(rows),
        "groups": int(group.max()) + 1,
        **({"drawn_from": len(whole)} if images else {}),
        **judge(true, table, group, model.labels),
        "parts": {
            "source": _parts([source_of(row.path) for row in rows], true, table, group),
            "fold": _parts([row.fold or "unknown" for row in rows], true, table, group),
        },
        "leakage": _leakage(checked, seen, true, table, group, allow_leaks),
        "interval": {
            "method": "percentile bootstrap over groups",
            "resamples": RESAMPLES, "level": LEVEL, "seed": SEED,
        },
        "protocol": read_record(index, index_path),
        "history": _history(run),
        "provenance": {
            **provenance("evaluation", record["seed"], started, time.monotonic() - began),
            "machine": machine.describe(machine.choose_device(), "32-true"),
            "index": {"path": str(index_path), "digest": index.digest(),
                      "images": {split: len(rows)}, "labels": model.labels},
            "train_index": record["index"],
            "best_epoch": record["best_epoch"],
            "weights": record["weights"],
        },
    }  # fmt: skip
    if degrade:
        seen_as = pictures(index, rows, model.preprocessing)
        figures["degraded"] = degradation_curves(model, seen_as, true, group, table)
    kinds: dict[str, str] = {path: leak.kind for path, leak in checked.seen.items()}
    write_predictions(out / "predictions.csv", rows, table, model.labels, kinds)
    write_json(out / "metrics.json", figures)
    return figures


def _rows(index: Index, split: str, index_path: Path, model: Loaded) -> list[Row]:
    """The rows to judge; refuses a split that is empty or has classes the run does not know.

    Images of which only a part of the class is known (`partial` of the run) are left out.
    """
    labels = model.labels
    if split not in SPLITS:
        raise IndexFileError(f"--split {split}: {nearest(split, SPLITS)}")
    rows = [row for row in index.of(split) if row.label != (model.partial or None)]
    if not rows:
        raise IndexFileError(
            f"{index_path}: has no {split} images. Split it first: brainlens split {index_path}"
        )
    strange = sorted({row.label for row in rows} - set(labels))
    if strange:
        raise RunError(
            f"{index_path}: has class {strange[0]!r}, but the run knows {', '.join(labels)}. "
            "Index it again with a --label-map to these"
        )
    return rows


def _drawn(rows: list[Row], images: int) -> list[Row]:
    """Whole groups in an order of chance, the same each time, until they hold so many images."""
    if not 0 < images < len(rows):
        return rows
    sizes = Counter(row.group for row in rows)
    chosen, held = set[str](), 0
    for group in sorted(sizes, key=lambda name: derive("judged", name)):
        if held < images:
            chosen.add(group)
            held += sizes[group]
    return [row for row in rows if row.group in chosen]


def _table(run: Path, model: Loaded, index: Index, rows: Sequence[Row]) -> Array:
    """(N, K) probabilities; where the backbone rested in training, from its cached features."""
    config = resolve(TrainConfig, read_toml(run / "config.toml"))
    network = model.network
    if config.tune != "head" or not isinstance(network, Classifier):
        return probabilities(model, pictures(index, rows, model.preprocessing))
    cut, device = len(steps(network)), machine.choose_device("auto")
    config = dataclasses.replace(config, precision="32-true")
    if too_large(network, cut, model.preprocessing.size, len(rows)):
        return probabilities(model, pictures(index, rows, model.preprocessing))
    kept = features(
        extractor(network, cut, model.preprocessing, config, device=device), index, rows
    )
    with torch.inference_mode():
        logits = network.head.cpu()(torch.from_numpy(np.array(kept)))
    table: Array = logits.double().softmax(1).numpy()
    return table


def find_leaks(run: Path, index: Index, rows: Sequence[Row], split: str) -> Crosscheck:
    """Which rows of an index the run saw in training or in choosing its epoch."""
    own = read_index(run / "index.csv")
    chose = ("train",) if split == "val" else ("train", "val")
    return crosscheck(index, rows, own, [row for row in own.rows if row.split in chose])


def _leak_error(checked: Crosscheck) -> LeakError:
    counts = checked.counts()
    return LeakError(
        f"{len(checked.seen)} of {checked.judged} images were seen in training ({counts['copy']} "
        f"as exact copies, {counts['twin']} as twins, {counts['group']} through a patient or twin "
        f"group; the first: {next(iter(checked.seen))}). Audit the index, split with --protocol "
        "grouped and train again, or give --allow-leaks to measure it as it is"
    )


def _leakage(
    checked: Crosscheck, seen: Array, true: Array, table: Array, group: Array, allowed: bool
) -> dict[str, Any]:
    """What leaked, and the accuracy of the leaked and the clean part."""

    counts = checked.counts()
    return {
        "allowed": allowed,
        "copies": counts["copy"],
        "twins": counts["twin"],
        "same_group": counts["group"],
        "clean": _part(~seen, true, table, group),
        "leaked": _part(seen, true, table, group),
        "certificate": checked.certificate(),
    }


def _part(chosen: Array, true: Array, table: Array, group: Array) -> dict[str, Any] | None:
    """The accuracy of some of the images; None for none."""
    if not chosen.any():
        return None
    own = np.unique(group[chosen], return_inverse=True)[1]
    labels = [str(c) for c in range(table.shape[1])]
    figures = judge(true[chosen], table[chosen], own, labels)["metrics"]
    return {"images": int(chosen.sum()), "accuracy": figures["accuracy"]}


def _parts(names: Sequence[str], true: Array, table: Array, group: Array) -> dict[str, Any]:
    """The accuracy of each part of the images, where there are several."""
    each = sorted(set(names))
    if len(each) < 2:
        return {}
    own = np.array(names)
    return {name: _part(own == name, true, table, group) for name in each}


def _history(run: Path) -> list[dict[str, str]]:
    """The run's epochs, for the report's curves; none where they were not kept."""
    try:
        with (run / "metrics.csv").open(newline="") as stream:
            return list(csv.DictReader(stream))
    except FileNotFoundError:
        return []
