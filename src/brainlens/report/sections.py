"""Owns what each kind of result says on the page: checked values in, words and drawings out.

Every sentence a reader may quote is made here, so that a leak, a validation figure or a missing
interval changes the sentence itself and not only a mark beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from brainlens.report import forest, plots
from brainlens.report.artefacts import (
    Estimate,
    Evaluation,
    estimate,
    need,
    pick,
    read_evaluation,
)
from brainlens.report.audited import certificate
from brainlens.report.facts import NONE, facts, plain, protocol
from brainlens.report.severity import severities
from brainlens.report.trained import learning_curves, percent

View = dict[str, Any]

SHOWN_MISTAKES = 10
METRICS = {  # in the order shown: name, how it is written
    "accuracy": ("accuracy", "percent"),
    "balanced_accuracy": ("balanced accuracy", "percent"),
    "macro_f1": ("macro F1", "number"),
    "macro_auroc": ("macro AUROC", "number"),
    "ece": ("ECE", "number"),
}
CLASS_METRICS = {
    "sensitivity": ("sensitivity", "percent"),
    "specificity": ("specificity", "percent"),
    "precision": ("precision", "percent"),
    "f1": ("F1", "number"),
    "auroc": ("AUROC", "number"),
}
FOREST = ("sensitivity", "specificity", "precision")
SPLITS = {"test": "test", "val": "validation", "train": "training"}


def evaluation(folder: Path) -> View:
    """What is said of an evaluation."""
    read = read_evaluation(folder)
    provenance = pick(read.document, "provenance")
    names = [name for name in CLASS_METRICS if any(name in row for row in read.per_class.values())]
    return {
        "verdict": _verdict(read),
        "baseline": _baseline(read),
        "leak": _leak(read, folder / "metrics.json"),
        "metrics": [_metric(name, figure) for name, figure in _in_order(read.metrics)],
        "metric_names": [CLASS_METRICS[name][0] for name in names],
        "per_class": [
            (label, read.support[label], [cell(row.get(name), name) for name in names])
            for label, row in read.per_class.items()
        ],
        "parts": _parts(read, folder / "metrics.json"),
        "interval": _interval_note(read),
        "confusion": Markup(plots.confusion(read.confusion, read.labels)),
        "confusion_alt": _confusion_words(read),
        "forest": Markup(forest.intervals(_forest(read))),
        "reliability": Markup(plots.reliability(read.reliability)),
        "reliability_alt": _reliability_words(read),
        "ece": _metric("ece", read.metrics.get("ece", Estimate(None, None, None))),
        "mistakes": read.mistakes[:SHOWN_MISTAKES],
        "mistaken": len(read.mistakes),
        "curves": learning_curves(read.history, pick(provenance, "best_epoch")),
        "degraded": Markup(severities({"this model": read.document.get("degraded")})),
        "facts": facts(provenance, read),
        "protocol": protocol(pick(read.document, "protocol")),
        "command": pick(provenance, "command"),
        "read": read,
        "folder": folder,
    }


def between(figure: Estimate, style: str) -> str:
    """An interval as `93.1-96.8` (per cent) or `0.931-0.968`; empty where there is none."""
    if figure.low is None or figure.high is None:
        return ""
    if style == "percent":
        return f"{100 * figure.low:.1f}-{100 * figure.high:.1f}"
    return f"{figure.low:.3f}-{figure.high:.3f}"


def _verdict(read: Evaluation) -> str:
    """The one sentence a newcomer takes home."""
    accuracy = read.metrics["accuracy"]
    split = SPLITS.get(read.split, read.split)
    unseen = "unseen " if read.split == "test" and not _leaks(read) else ""
    interval = between(accuracy, "percent")
    within = f" ({_level(read)} interval {interval}; {_method(read)})" if interval else ""
    leaked = pick(read.document, "leakage", "leaked", "images")
    known = f" ({leaked:,} of them leaked)" if isinstance(leaked, int) else ""
    return (
        f"{percent(accuracy.value)} of {read.images:,} {unseen}{split} slices{known} were "
        f"classified correctly{within}."
    )


def _baseline(read: Evaluation) -> str:
    """What the figure has to beat, and the class it hides."""
    said = []
    if read.images and read.support:
        common = max(read.support, key=lambda label: read.support[label])
        share = read.support[common] / read.images
        said.append(f"Always answering {common} would give {percent(share)}.")
    found = {
        label: row["sensitivity"].value
        for label, row in read.per_class.items()
        if "sensitivity" in row and row["sensitivity"].value is not None
    }
    if len(found) > 1:
        worst = min(found, key=lambda label: found[label] or 0.0)
        said.append(f"The hardest class is {worst}: {percent(found[worst])} of it was found.")
    if read.split != "test":
        said.append(f"These are {SPLITS.get(read.split, read.split)} images, not a test set.")
    return " ".join(said)


def _leaks(read: Evaluation) -> bool:
    leakage = read.document["leakage"]
    seen = leakage["copies"] + leakage.get("twins", 0) + leakage["same_group"]
    return bool(leakage["allowed"] or seen > 0)


def _leak(read: Evaluation, file: Path) -> View:
    """What is known of test images that the model had seen, clean and leaked side by side."""
    leakage = read.document["leakage"]
    parts = []
    for name in ("clean", "leaked"):
        if leakage.get(name) is not None:
            images = need(leakage, (name, "images"), int, file)
            figure = estimate(leakage[name], "accuracy", file)
            parts.append((name, images, cell(figure, "accuracy")))
    return {
        "found": _leaks(read),
        "allowed": leakage["allowed"],
        "copies": leakage["copies"],
        "twins": leakage.get("twins", 0),
        "same_group": leakage["same_group"],
        "certificate": certificate(leakage.get("certificate") or {}),
        "parts": parts,
    }


def _parts(read: Evaluation, file: Path) -> list[tuple[str, list[Any]]]:
    """The accuracy by source and by patient fold, where there are several."""
    names = {"source": "source", "fold": "patient fold"}
    return [
        (
            name,
            [
                (part, own["images"], cell(estimate(own, "accuracy", file), "accuracy"))
                for part, own in held.items()
            ],
        )
        for key, name in names.items()
        if (held := pick(read.document, "parts", key))
    ]


def _in_order(metrics: dict[str, Estimate]) -> list[tuple[str, Estimate]]:
    """The known metrics first, in our order, then any a later version may add."""
    names = [*METRICS, *(name for name in metrics if name not in METRICS)]
    return [(name, metrics[name]) for name in names if name in metrics]


def _metric(name: str, figure: Estimate) -> tuple[str, str, str]:
    known, _ = METRICS.get(name, (name.replace("_", " "), "number"))
    return (known, *cell(figure, name))


def cell(figure: Estimate | None, name: str) -> tuple[str, str]:
    """A figure and its interval, as written."""
    if figure is None or figure.value is None:
        return NONE, ""
    _, style = (METRICS | CLASS_METRICS).get(name, ("", "number"))
    value = percent(figure.value) if style == "percent" else f"{figure.value:.3f}"
    return value, between(figure, style)


def _forest(read: Evaluation) -> dict[str, dict[str, Estimate]]:
    return {
        label: {name: row[name] for name in FOREST if name in row}
        for label, row in read.per_class.items()
    }


def _confusion_words(read: Evaluation) -> str:
    """The matrix for a reader who cannot see it."""
    rows = (
        f"true {label}: "
        + ", ".join(f"{n} as {guess}" for n, guess in zip(row, read.labels, strict=True))
        for label, row in zip(read.labels, read.confusion, strict=True)
    )
    return "Confusion matrix. " + "; ".join(rows)


def _reliability_words(read: Evaluation) -> str:
    """The reliability curve for a reader who cannot see it."""
    bins = (
        f"{b.images} images with confidence {percent(b.low)} to {percent(b.high)}: "
        f"{percent(b.accuracy)} right"
        for b in read.reliability
        if b.images
    )
    return "Reliability. " + "; ".join(bins)


def _level(read: Evaluation) -> str:
    level = pick(read.document, "interval", "level")
    return f"{100 * level:g} %" if isinstance(level, int | float) else ""


def _method(read: Evaluation) -> str:
    method = plain(pick(read.document, "interval", "method"))
    if "bootstrap over groups" in method:
        return f"bootstrap over {read.groups:,} patients or twin groups"
    return method


def _interval_note(read: Evaluation) -> str:
    interval = read.document["interval"]
    return (
        f"{_level(read)} intervals: {plain(interval.get('method'))}, "
        f"{plain(interval.get('resamples'))} resamples, seed {plain(interval.get('seed'))}. "
        f"{NONE}: undefined on these images."
    )
