"""Owns the evaluation stage: a run and an index in, predictions and figures with intervals out.

Images that the run may have seen, as a copy, a twin or through a patient, are found first: they are
an error unless allowed, and then told apart in every figure. The certificate says what was checked.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.classify import machine
from brainlens.classify.inference import probabilities
from brainlens.classify.network import load
from brainlens.classify.run import read_provenance
from brainlens.core.errors import IndexFileError, LeakError, RunError, nearest
from brainlens.core.files import fresh_folder, write_json
from brainlens.core.provenance import now, provenance
from brainlens.data.crosscheck import Crosscheck, crosscheck
from brainlens.data.index import SPLITS, Index, Row, read_index
from brainlens.data.pictures import pictures
from brainlens.data.predictions import write_predictions
from brainlens.data.preprocess import Array
from brainlens.data.split import read_record
from brainlens.metrics import calibration, classification
from brainlens.metrics.resampling import group_draws, interval, perfect_interval

RESAMPLES, LEVEL, SEED = 2000, 0.95, 0


def evaluate(
    run: Path,
    index_path: Path,
    out: Path,
    *,
    split: str = "test",
    allow_leaks: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Judge a run on one split; answers what `metrics.json` holds.

    Raises LeakError for images seen in training, unless `allow_leaks`; RunError for a run of
    other classes.
    """
    began, started = time.monotonic(), now()
    record, model = read_provenance(run), load(run / "model.safetensors")
    index = read_index(index_path)
    rows = _rows(index, split, index_path, model.labels)
    checked = find_leaks(run, index, rows, split)
    if checked.seen and not allow_leaks:
        raise _leak_error(checked)
    fresh_folder(out, overwrite=overwrite, kind="evaluation")
    table = probabilities(model, pictures(index, rows, model.preprocessing))
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
        **judge(true, table, group, model.labels),
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
    kinds: dict[str, str] = {path: leak.kind for path, leak in checked.seen.items()}
    write_predictions(out / "predictions.csv", rows, table, model.labels, kinds)
    write_json(out / "metrics.json", figures)
    return figures


def _rows(index: Index, split: str, index_path: Path, labels: Sequence[str]) -> list[Row]:
    """The rows to judge; refuses a split that is empty or has classes the run does not know."""
    if split not in SPLITS:
        raise IndexFileError(f"--split {split}: {nearest(split, SPLITS)}")
    rows = index.of(split)
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


def judge(true: Array, table: Array, group: Array, labels: Sequence[str]) -> dict[str, Any]:
    """Every figure with its interval, of (N,) classes, (N, K) probabilities, (N,) groups."""
    k, predicted, confidence = len(labels), table.argmax(1), table.max(1)
    correct = (predicted == true).astype(float)
    by_group = classification.confusion_by_group(true, predicted, group, k)
    # One group has no spread of its own: no resamples, so no interval rather than one of width 0.
    draws = group_draws(len(by_group), RESAMPLES if len(by_group) > 1 else 0, SEED)
    # Row 0 is the figure itself, the others its resamples: one way to compute both.
    weights = np.vstack([np.ones(len(by_group)), draws])
    confusion = np.tensordot(weights, by_group, 1)  # (1 + B, K, K)
    weight = weights[:, group]  # (1 + B, N)
    area = np.stack(
        [classification.auroc(table[:, c], true == c, weight) for c in range(k)], 1
    )  # (1 + B, K)
    each = {
        "sensitivity": classification.sensitivity(confusion),
        "specificity": classification.specificity(confusion),
        "precision": classification.precision(confusion),
        "f1": classification.f1(confusion),
        "auroc": area,
    }
    mean = classification.mean_over_classes
    overall = {
        "accuracy": classification.accuracy(confusion),
        "balanced_accuracy": mean(each["sensitivity"]),
        "macro_f1": mean(each["f1"]),
        "macro_auroc": mean(area),
        "ece": calibration.expected_calibration_error(confidence, correct, weight),
    }

    def carrying(c: int, name: str) -> int:
        """How many groups a class's figure stands on: specificity is about the other classes."""
        return len(np.unique(group[true != c if name == "specificity" else true == c])) or 1

    return {
        "metrics": {name: _figure(values, len(by_group)) for name, values in overall.items()},
        "per_class": {
            label: {
                "support": int((true == c).sum()),
                **{name: _figure(values[:, c], carrying(c, name)) for name, values in each.items()},
            }
            for c, label in enumerate(labels)
        },
        "confusion": confusion[0].astype(int).tolist(),
        "reliability": calibration.reliability(confidence, correct),
    }


def _figure(values: Array, groups: int) -> dict[str, float | None]:
    """Row 0 with the interval of the rest; None inside where the figure is undefined.

    `groups` is how many carry the figure, for one that is perfect (or nil) in all of them.
    """
    value = float(values[0])
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    bounds = interval(values[1:], LEVEL)
    if bounds and bounds[0] == bounds[1] and value in (0.0, 1.0):
        bounds = perfect_interval(value, groups, LEVEL)
    low, high = bounds or (None, None)
    return {"value": value, "low": low, "high": high}


def _leakage(
    checked: Crosscheck, seen: Array, true: Array, table: Array, group: Array, allowed: bool
) -> dict[str, Any]:
    """What leaked, and the accuracy of the leaked and the clean part."""

    def part(chosen: Array) -> dict[str, Any] | None:
        if not chosen.any():
            return None
        own = np.unique(group[chosen], return_inverse=True)[1]
        labels = [str(c) for c in range(table.shape[1])]
        figures = judge(true[chosen], table[chosen], own, labels)["metrics"]
        return {"images": int(chosen.sum()), "accuracy": figures["accuracy"]}

    counts = checked.counts()
    return {
        "allowed": allowed,
        "copies": counts["copy"],
        "twins": counts["twin"],
        "same_group": counts["group"],
        "clean": part(~seen),
        "leaked": part(seen),
        "certificate": checked.certificate(),
    }


def _history(run: Path) -> list[dict[str, str]]:
    """The run's epochs, for the report's curves."""
    with (run / "metrics.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))
