"""Owns the confirmation run: the chosen levels from new seeds, and the one look at the test split.

Each arm's optimum runs again from seeds no row has used; the arm with the best validation response
alone is judged on the test split. Its distance from another study's choice (`regret`) is measured
image by image on the same test images.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.core.errors import RunError
from brainlens.core.files import write_atomic
from brainlens.data.index import Row
from brainlens.data.preprocess import Array
from brainlens.metrics.judgement import LEVEL, RESAMPLES, SEED, judge
from brainlens.metrics.resampling import group_draws, interval
from brainlens.study.bench import Bench, Outcome, Trial

FILE = "confirmation.csv"
_COLUMNS = ("path", "label", "group", "right")


def test_figures(
    bench: Bench, rows: Sequence[Row], trials: Sequence[Trial], outcomes: Sequence[Outcome],
    out: Path,
) -> dict[str, Any]:  # fmt: skip
    """The chosen arm's runs on the test rows: each seed's accuracy, their mean with interval.

    Writes which share of the seeds was right about each image, for comparisons by image.
    """
    tables = [bench.table(t, o, rows) for t, o in zip(trials, outcomes, strict=True)]
    true = np.array([bench.labels.index(row.label) for row in rows])
    group = np.unique([row.group for row in rows], return_inverse=True)[1]
    right = np.stack([table.argmax(1) == true for table in tables], 1)  # (N, R)
    share = right.mean(1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((r.path, r.label, r.group, s) for r, s in zip(rows, share, strict=True))
    write_atomic(out / FILE, text.getvalue())
    first = judge(true, tables[0], group, bench.labels)
    return {
        "images": len(rows),
        "groups": int(group.max()) + 1,
        "accuracies": [float(a) for a in right.mean(0)],
        "accuracy": mean_by_group(share, group),
        "first_seed": {"metrics": first["metrics"], "confusion": first["confusion"]},
        "interval": {"method": "percentile bootstrap over groups of the seeds' mean accuracy",
                     "resamples": RESAMPLES, "level": LEVEL, "seed": SEED},
    }  # fmt: skip


def mean_by_group(values: Array, group: Array) -> dict[str, float | None]:
    """The mean over images with its bootstrap interval over groups."""
    sums = np.bincount(group, values)
    sizes = np.bincount(group).astype(float)
    draws = group_draws(len(sums), RESAMPLES if len(sums) > 1 else 0, SEED)
    found = interval((draws @ sums) / (draws @ sizes), LEVEL) if len(draws) else None
    low, high = found or (None, None)
    return {"value": float(values.mean()), "low": low, "high": high}


def regret(own: Path, other: Path, name: str) -> dict[str, Any]:
    """This study's choice less the other's, in test accuracy on the same images, by group."""
    mine, theirs = _shares(own / FILE), _shares(other / FILE)
    if mine.keys() != theirs.keys():
        raise RunError(
            f"{other}: its confirmation saw other test images. Compare studies of one index"
        )
    difference = np.array([mine[path][1] - theirs[path][1] for path in mine])
    group = np.unique([mine[path][0] for path in mine], return_inverse=True)[1]
    return {"study": str(other), "design": name, "images": len(mine),
            "difference": mean_by_group(difference, group)}  # fmt: skip


def _shares(path: Path) -> dict[str, tuple[str, float]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return {r["path"]: (r["group"], float(r["right"])) for r in csv.DictReader(stream)}
    except (OSError, KeyError, ValueError) as error:
        raise RunError(
            f"{path}: is no confirmation of a study ({error}). Run brainlens study again"
        ) from None
