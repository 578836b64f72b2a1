"""Owns what is said of a reproduction: the seed's figure, ours under its protocol, ours clean.

Enters: `reproduce.json`. Leaves: the table on the terminal and on the page, and sentences. A QUICK
run, a leak, a stand-in or a changed setting is part of the sentence that quotes the figure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from brainlens.core.progress import duration
from brainlens.report.artefacts import CURVES, Document, need, pick, read_json
from brainlens.report.columns import aligned
from brainlens.report.facts import NONE, facts, plain
from brainlens.report.severity import severities
from brainlens.report.trained import learning_curves

View = dict[str, Any]

FIGURES = {  # by their names in metrics.json
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "macro_auroc": "macro AUROC",
    "ece": "calibration error",
}
CLASS_FIGURES = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "precision": "precision",
    "f1": "F1",
}
QUICK = "QUICK: fewer images, smaller pictures, two epochs. Proves that it runs, and nothing else."
_FILE = "reproduce.json"


def reproduction(folder: Path) -> View:
    """What is said of a reproduction on the page."""
    file = folder / _FILE
    document = read_json(file)
    columns = need(document, "columns", list, file)
    head, rows = table(document)
    return {
        "recipe": need(document, "recipe", str, file),
        "quick": QUICK if document.get("quick") else "",
        "verdict": verdict(document),
        "head": head,
        "rows": rows,
        "published": pick(document, "published"),
        "notes": need(document, "notes", list, file),
        "changed": [(key, plain(value)) for key, value in document.get("changed", {}).items()],
        "curves": [(column["title"], _curves(column["result"])) for column in _trained(columns)],
        "degraded": Markup(severities({c["title"]: c["result"].get("degraded") for c in columns})),
        "settings": [(key, plain(value)) for key, value in document["settings"].items()],
        "facts": facts(document.get("provenance")),
        "command": pick(document, "provenance", "command"),
    }


def verdict(document: Document) -> str:
    """The sentence to take home."""
    said = [f"{title}: {accuracy}" for title, accuracy in _accuracies(document)]
    return ("QUICK, no result. " if document["quick"] else "") + "Accuracy: " + "; ".join(said)


def _accuracies(document: Document) -> list[tuple[str, str]]:
    published = pick(document, "published", "accuracy")
    first = [("published", f"{100 * published:.1f} %")] if published is not None else []
    return first + [
        (
            column["title"] + (" (leaks)" if _seen(column) else ""),
            f"{100 * column['result']['metrics']['accuracy']['value']:.1f} %",
        )
        for column in document["columns"]
    ]


def table(document: Document) -> tuple[list[str], list[list[str]]]:
    """The head and the rows: a name, what was published, and a cell for each column."""
    columns = document["columns"]
    claim = document.get("published")
    head = ["", *(["published"] if claim else []), *(column["title"] for column in columns)]
    told = {"accuracy": _percent(pick(claim, "accuracy"))} if claim else {}
    rows = [
        ["protocol", *_maybe(claim, ""), *(column["protocol"] for column in columns)],
        ["leak", *_maybe(claim, "see the notes"), *(_leak(column) for column in columns)],
        ["images: train, val", *_maybe(claim, ""), *(_learned(column) for column in columns)],
        ["images tested (groups)", *_maybe(claim, ""), *(_tested(column) for column in columns)],
    ]
    for name, words in FIGURES.items():
        own = [_figure(column["result"]["metrics"][name]) for column in columns]
        rows.append([words, *_maybe(claim, told.get(name, NONE)), *own])
    for label in columns[0]["result"]["labels"]:
        for name, words in CLASS_FIGURES.items():
            own = [_figure(column["result"]["per_class"][label][name]) for column in columns]
            rows.append([f"{label}: {words}", *_maybe(claim, NONE), *own])
    clean = [pick(column["result"], "leakage", "clean") for column in columns]
    unseen = [f"{_figure(c['accuracy'])}, n = {c['images']}" if c else "none is" for c in clean]
    rows.append(["accuracy on unseen images", *_maybe(claim, NONE), *unseen])
    spent = [f"{c['result']['provenance']['best_epoch']}, {duration(c['training_seconds'])}"
             for c in columns]  # fmt: skip
    rows.append(["epoch kept, training time", *_maybe(claim, NONE), *spent])
    return head, rows


def summary(document: Document) -> str:
    """The table on the terminal, with its notes."""
    head, rows = table(document)
    shown = [row for row in rows if ": " not in row[0] or row[0].startswith("images")]
    notes = [f"- {note}" for note in document["notes"]]
    changed = ", ".join(f"{key} = {value}" for key, value in document["changed"].items())
    if changed:
        notes.append(f"- not as in the recipe: {changed}")
    blocks = [QUICK] * document["quick"] + [aligned([head, *shown]), "\n".join(notes)]
    if document["quick"]:
        blocks[1] = "\n".join("QUICK  " + line for line in blocks[1].splitlines())
    return "\n\n".join(filter(None, blocks))


def _maybe(claim: Any, cell: str) -> list[str]:
    """The published column's cell, where there is such a column."""
    return [cell] if claim else []


def _seen(column: Document) -> int:
    leakage = column["result"]["leakage"]
    return int(leakage["copies"] + leakage.get("twins", 0) + leakage["same_group"])


def _leak(column: Document) -> str:
    seen, images = _seen(column), column["result"]["images"]
    return f"LEAK: {seen} of {images} seen ({100 * seen / images:.0f} %)" if seen else "none known"


def _learned(column: Document) -> str:
    return ", ".join(f"{n:,}" for n in column["learned"].values())


def _tested(column: Document) -> str:
    return f"{column['result']['images']:,} ({column['result']['groups']:,})"


def _figure(figure: Document) -> str:
    if figure["value"] is None:
        return NONE
    value = _percent(figure["value"])
    if figure["low"] is None:
        return value
    return f"{value} ({100 * figure['low']:.1f} to {100 * figure['high']:.1f})"


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f}"


def _trained(columns: list[Document]) -> list[Document]:
    """One column of each arm: several may share a training run."""
    return list({column["arm"]: column for column in reversed(columns)}.values())[::-1]


def _curves(result: Document) -> list[tuple[str, str, Markup]]:
    """The learning curves of an evaluation that the document holds."""
    history = [
        {name: float(row[name]) if row.get(name) else None for name in ("epoch", *CURVES)}
        for row in result["history"]
    ]
    return learning_curves(history, pick(result, "provenance", "best_epoch"))
