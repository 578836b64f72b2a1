"""Owns `predictions.csv`: one row an evaluated image, with its probabilities."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainlens.core.errors import UserError
from brainlens.core.files import write_atomic
from brainlens.data.index import Row
from brainlens.data.preprocess import Array

_HEAD = ("path", "digest", "group", "label", "predicted", "confidence")
_MARK = "p_"  # before a class's name: its column of probabilities


@dataclass(frozen=True)
class Predictions:
    """A table of predictions, in the order of the file."""

    labels: list[str]
    digests: list[str]  # SHA-256 of the image files
    given: list[str]  # the label each image had
    probabilities: Array  # (N, K)
    leaks: list[str]  # copy, twin, group, or empty where the run had not seen the image


def write_predictions(
    path: Path, rows: Sequence[Row], probabilities: Array, labels: Sequence[str],
    leaks: dict[str, str],
) -> Path:  # fmt: skip
    """Write rows and their (N, K) probabilities; `leak` is copy, twin, group or empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_HEAD, *(f"{_MARK}{label}" for label in labels), "leak"])
    for row, p in zip(rows, probabilities, strict=True):
        best = int(np.argmax(p))
        writer.writerow(
            [
                row.path, row.digest, row.group, row.label, labels[best], f"{p[best]:.6f}",
                *(f"{value:.6f}" for value in p), leaks.get(row.path, ""),
            ]
        )  # fmt: skip
    return write_atomic(path, text.getvalue())


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote; raises UserError for anything else."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            columns = list(reader.fieldnames or ())
            rows = list(reader)
        marked = [name for name in columns if name.startswith(_MARK)]
        table = np.array([[float(row[name]) for name in marked] for row in rows], np.float64)
        found = Predictions(
            labels=[name.removeprefix(_MARK) for name in marked],
            digests=[row["digest"] for row in rows],
            given=[row["label"] for row in rows],
            probabilities=table.reshape(len(rows), len(marked)),
            leaks=[row["leak"] for row in rows],
        )
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; expected an evaluation's predictions. Make one: brainlens "
            "evaluate RUN INDEX -o EVAL"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: is no table of predictions ({error}). Evaluate again") from None
    if not found.labels or not np.isfinite(table).all():
        raise UserError(f"{path}: holds no finite probabilities by class. Evaluate again")
    return found
