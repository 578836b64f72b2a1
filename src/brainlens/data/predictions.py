"""Owns `predictions.csv`: one row an evaluated image, with its probabilities."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from brainlens.core.files import write_atomic
from brainlens.data.index import Row
from brainlens.data.preprocess import Array


def write_predictions(
    path: Path, rows: Sequence[Row], probabilities: Array, labels: Sequence[str],
    leaks: dict[str, str],
) -> Path:  # fmt: skip
    """Write rows and their (N, K) probabilities; `leak` is copy, group or empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["path", "digest", "group", "label", "predicted", "confidence"]
    writer.writerow([*head, *(f"p_{label}" for label in labels), "leak"])
    for row, p in zip(rows, probabilities, strict=True):
        best = int(np.argmax(p))
        writer.writerow(
            [
                row.path, row.digest, row.group, row.label, labels[best], f"{p[best]:.6f}",
                *(f"{value:.6f}" for value in p), leaks.get(row.path, ""),
            ]
        )  # fmt: skip
    return write_atomic(path, text.getvalue())
