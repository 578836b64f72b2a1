"""Owns reading what a report shows, and refusing what it could only show wrongly.

Enters: a run or evaluation folder. Leaves: checked values, or one UserError that names the file.
Neither a model nor torch is needed, so a report can be made on any machine.
"""

from __future__ import annotations

import csv
import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from brainlens.core.errors import UserError

Document = dict[str, Any]
History = list[dict[str, float | None]]

CURVES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")


class Estimate(NamedTuple):
    """A figure and its interval; None where undefined (an absent class, one class alone)."""

    value: float | None
    low: float | None
    high: float | None


class Bin(NamedTuple):
    """One confidence bin of a reliability curve; confidence and accuracy None when empty."""

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: float | None


class Mistake(NamedTuple):
    """One wrongly classified file."""

    path: str
    label: str
    predicted: str
    confidence: float
    leak: str


@dataclass(frozen=True)
class Run:
    """What a training run left behind."""

    config: Document
    history: History
    provenance: Document


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation left behind; `document` holds the parts shown as they are."""

    split: str
    labels: list[str]
    images: int
    groups: int
    metrics: dict[str, Estimate]
    support: dict[str, int]
    per_class: dict[str, dict[str, Estimate]]
    confusion: list[list[int]]  # (K, K): rows true, columns predicted
    reliability: list[Bin]
    mistakes: list[Mistake]  # the most confident first
    history: History
    document: Document


def read_run(folder: Path) -> Run:
    """Read a training run; raises UserError naming the first file that is not as expected."""
    return Run(
        config=read_toml(folder / "config.toml"),
        history=_history(folder / "metrics.csv", read_csv(folder / "metrics.csv", CURVES)),
        provenance=read_json(folder / "provenance.json"),
    )


def read_evaluation(folder: Path) -> Evaluation:
    """Read an evaluation; raises UserError naming the first file that is not as expected."""
    file = folder / "metrics.json"
    document = read_json(file)
    labels = [str(label) for label in need(document, "labels", list, file)]
    per_class = {label: need(document, ("per_class", label), dict, file) for label in labels}
    for count in ("copies", "same_group"):
        need(document, ("leakage", count), int, file)
    need(document, ("leakage", "allowed"), bool, file)
    metrics = need(document, "metrics", dict, file)
    need(metrics, "accuracy", dict, file)
    need(document, "interval", dict, file)
    return Evaluation(
        split=need(document, "split", str, file),
        labels=labels,
        images=need(document, "images", int, file),
        groups=need(document, "groups", int, file),
        metrics={name: estimate(metrics, name, file) for name in metrics},
        support={label: need(row, "support", int, file) for label, row in per_class.items()},
        per_class={
            label: {name: estimate(row, name, file) for name in row if name != "support"}
            for label, row in per_class.items()
        },
        confusion=_confusion(document, len(labels), file),
        reliability=[_bin(row, file) for row in need(document, "reliability", list, file)],
        mistakes=_mistakes(folder / "predictions.csv"),
        history=_history(file, document.get("history") or []),
        document=document,
    )


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise _unusable(path, "no such file") from None
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise _unusable(path, "text that is not UTF-8") from None


def read_json(path: Path) -> Document:
    """A JSON object."""
    text = read_text(path)
    try:
        value = json.loads(text, parse_constant=lambda _: None)  # NaN, Infinity: undefined
    except (ValueError, RecursionError) as error:
        raise _unusable(path, f"broken JSON ({error})") from None
    if not isinstance(value, dict):
        raise _unusable(path, f"JSON that is {_name(value)}, not an object")
    return value


def read_toml(path: Path) -> Document:
    """A TOML file's keys and values."""
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unusable(path, f"broken TOML ({error})") from None


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """A CSV file's rows; every one of `columns` must be in its header."""
    reader = csv.DictReader(read_text(path).splitlines(keepends=True))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise _unusable(path, f"broken CSV ({error})") from None
    missing = [name for name in columns if name not in (reader.fieldnames or [])]
    if missing:
        raise _unusable(path, f"no column {missing[0]!r}")
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise _unusable(path, f"row {line} with another number of cells than the header")
    return rows


def need(document: Document, key: str | tuple[str, ...], kind: type, file: Path) -> Any:
    """The value under a key or a chain of keys; raises UserError where it is not a `kind`."""
    keys = (key,) if isinstance(key, str) else key
    value: Any = document
    for part in keys:
        if not isinstance(value, dict) or part not in value:
            raise _unusable(file, f"no {'.'.join(keys)!r}")
        value = value[part]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _unusable(file, f"{'.'.join(keys)!r} that is {_name(value)}, not {kind.__name__}")
    return value


def pick(document: Any, *keys: str) -> Any:
    """The value under a chain of keys, None where the chain breaks: for what may be absent."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def estimate(document: Document, key: str, file: Path) -> Estimate:
    """The figure under `key`: {"value": 0.95, "low": 0.93, "high": 0.97}, each maybe null."""
    need(document, (key, "value"), object, file)
    figure = document[key]
    low, high = _number(figure.get("low"), file, key), _number(figure.get("high"), file, key)
    return Estimate(_number(figure["value"], file, key), low, high)


def _number(cell: Any, file: Path, what: str) -> float | None:
    """A finite number; None for a blank, a null and for what a diverged run writes (nan, inf)."""
    if cell is None or cell == "":
        return None
    try:
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        raise _unusable(file, f"{what} {cell!r}, which is no number") from None
    return value if math.isfinite(value) else None


def _history(file: Path, rows: Any) -> History:
    """One row an epoch; columns that hold no numbers are of no use to a curve."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _unusable(file, "a 'history' that is no list of rows")
    names = ("epoch", *CURVES)
    if rows:
        need(rows[0], "epoch", object, file)
    return [{name: _number(row.get(name), file, name) for name in names} for row in rows]


def _confusion(document: Document, classes: int, file: Path) -> list[list[int]]:
    matrix: list[list[int]] = need(document, "confusion", list, file)
    square = 0 < classes == len(matrix) and all(
        isinstance(row, list) and len(row) == classes and all(type(n) is int for n in row)
        for row in matrix
    )
    if not square:
        raise _unusable(file, f"a 'confusion' that is not {classes} rows of {classes} counts")
    return matrix


def _bin(row: Any, file: Path) -> Bin:
    if not isinstance(row, dict):
        raise _unusable(file, f"a 'reliability' bin that is {_name(row)}")
    low, high, confidence, accuracy = (
        _number(row.get(name), file, f"reliability {name}")
        for name in ("low", "high", "confidence", "accuracy")
    )
    if low is None or high is None:
        raise _unusable(file, "a 'reliability' bin without low or high")
    return Bin(low, high, need(row, "count", int, file), confidence, accuracy)


def _mistakes(file: Path) -> list[Mistake]:
    """The wrongly classified files, the most confident first, then by name."""
    rows = read_csv(file, ("path", "label", "predicted", "confidence", "leak"))
    wrong = [
        Mistake(
            row["path"],
            row["label"],
            row["predicted"],
            _number(row["confidence"], file, "confidence") or 0.0,
            row["leak"],
        )
        for row in rows
        if row["label"] != row["predicted"]
    ]
    return sorted(wrong, key=lambda mistake: (-mistake.confidence, mistake.path))


def _name(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _unusable(file: Path, got: str) -> UserError:
    command = "train" if file.name in ("config.toml", "metrics.csv", "provenance.json") else ""
    command = command or {"study.json": "study"}.get(file.name, "evaluate")
    return UserError(
        f"{file}: got {got}; expected the file that `brainlens {command}` writes. "
        f"Run `brainlens {command}` again"
    )
