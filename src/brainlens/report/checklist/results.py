"""Owns what an evaluation answers of a checklist: figures with intervals, and with their leaks."""

from __future__ import annotations

from collections import Counter
from typing import Any

from brainlens.report.artefacts import Estimate, pick
from brainlens.report.checklist.evidence import Evidence, Said
from brainlens.report.facts import digest, plain
from brainlens.report.sections import CLASS_METRICS, METRICS, between, cell

_LEAKING = "LEAKING (the model had seen some of these images): "


def metrics(seen: Evidence) -> Said | None:
    """Which figures were computed."""
    if not seen.evaluation:
        return None
    names = [name for name, _ in METRICS.values()]
    each = [name for name, _ in CLASS_METRICS.values()]
    return _said(
        seen, f"{', '.join(names)}; of each class {', '.join(each)}; confusion matrix, reliability"
    )


def uncertainty(seen: Evidence) -> Said | None:
    """How intervals were made."""
    made = seen.measured("interval")
    if not isinstance(made, dict):
        return None
    return _said(
        seen,
        f"{100 * float(made.get('level') or 0):g} % intervals: {plain(made.get('method'))} "
        f"(patients, twin clusters), {plain(made.get('resamples'))} resamples, seed "
        f"{plain(made.get('seed'))}",
    )


def robustness(seen: Evidence) -> Said | None:
    """Accuracy under graded harm, where it was measured."""
    harmed = seen.measured("degraded")
    if not isinstance(harmed, dict) or not harmed:
        return None
    return _said(seen, f"Judged again under graded {', '.join(harmed)}; curves in the report")


def internal(seen: Evidence) -> Said | None:
    """What was judged, and whether it was unseen."""
    if not seen.evaluation:
        return None
    unseen = "" if leaking(seen) else "unseen "
    return _said(
        seen,
        f"{_mark(seen)}{seen.measured('images'):,} {unseen}{seen.measured('split')} images of "
        f"{seen.measured('groups'):,} groups",
    )


def external(seen: Evidence) -> Said | None:
    """Whether the judged images are of another index than the trained ones."""
    judged = digest(seen.measured("provenance", "index"))
    trained = digest(seen.measured("provenance", "train_index"))
    if not judged or not trained or judged == trained:
        return None
    return _said(seen, f"Judged on another index ({str(judged)[:16]}) than it learned from")


def performance(seen: Evidence) -> Said | None:
    """Every figure with its interval."""
    figures = seen.measured("metrics")
    if not isinstance(figures, dict):
        return None
    told = [_figure(name, METRICS[name][0], figures[name]) for name in METRICS if figures.get(name)]
    return _said(seen, _mark(seen) + "; ".join(told))


def by_class(seen: Evidence) -> Said | None:
    """Sensitivity and specificity of each class with intervals."""
    rows = seen.measured("per_class")
    if not isinstance(rows, dict):
        return None
    told = [
        f"{label} (n = {row.get('support')}): "
        + ", ".join(
            _figure(name, CLASS_METRICS[name][0], row[name])
            for name in ("sensitivity", "specificity", "auroc")
            if row.get(name)
        )
        for label, row in rows.items()
    ]
    return _said(seen, _mark(seen) + "; ".join(told))


def parts(seen: Evidence) -> Said | None:
    """Accuracy by source and by patient fold."""
    held: dict[str, Any] = seen.measured("parts") or {}
    told = [
        f"{kind} {name}: {_figure('accuracy', 'accuracy', own['accuracy'])} (n = {own['images']})"
        for kind, rows in held.items()
        for name, own in rows.items()
    ]
    return _said(seen, _mark(seen) + "; ".join(told)) if told else None


def failures(seen: Evidence) -> Said | None:
    """How many were wrong, and what was taken for what most often."""
    confusion, labels = seen.measured("confusion"), seen.measured("labels")
    if not confusion or not labels:
        return None
    wrong = Counter(
        {
            (true, said): confusion[i][j]
            for i, true in enumerate(labels)
            for j, said in enumerate(labels)
            if i != j and confusion[i][j]
        }
    )
    most = ", ".join(f"{n} {true} as {said}" for (true, said), n in wrong.most_common(3))
    return Said(
        f"{wrong.total()} of {seen.measured('images')} wrong" + (f": {most}, ..." if most else ""),
        seen.where("evaluation", "predictions.csv"),
    )


def classes(seen: Evidence) -> Said | None:
    """How many images of each class each side has."""
    counts = seen.split().get("counts")
    if not isinstance(counts, dict):
        return None
    told = [
        f"{side}: " + ", ".join(f"{label} {number}" for label, number in own.items())
        for side, own in counts.items()
        if isinstance(own, dict)
    ]
    kind = ("run", "provenance.json") if seen.trained("split") else ("evaluation", "metrics.json")
    return Said("; ".join(told), seen.where(*kind)) if told else None


def limits(seen: Evidence) -> Said | None:
    """What the files themselves show to be weak."""
    if not seen.evaluation:
        return None
    told = ["one training run: the spread over seeds is not in the intervals"]
    if leaking(seen):
        told.insert(0, "TEST IMAGES LEAK: the figures are of memory too")
    if "fold" not in (seen.measured("parts") or {}) or not seen.measured("parts", "fold"):
        told.append("patients are known only as far as a manifest named them")
    if pick(seen.evaluation, "leakage", "certificate", "complete") is False:
        told.append("some training images were not at hand when twins were sought")
    if not external(seen):
        told.append("judged on the index it learned from: no other hospital")
    return _said(seen, "; ".join(told))


def commands(seen: Evidence) -> Said | None:
    """The commands that repeat it."""
    told = [f"`{found}`" for found in (seen.trained("command"),
            seen.measured("provenance", "command")) if found]  # fmt: skip
    if not told:
        return None
    kind = ("run", "provenance.json") if seen.run else ("evaluation", "metrics.json")
    return Said(f"Repeated by {' and '.join(told)}", seen.where(*kind))


def leaking(seen: Evidence) -> bool:
    """Whether judged images had been seen."""
    leakage = seen.measured("leakage") or {}
    return bool(
        leakage.get("allowed")
        or leakage.get("copies")
        or leakage.get("twins")
        or leakage.get("same_group")
    )


def _mark(seen: Evidence) -> str:
    return _LEAKING if leaking(seen) else ""


def _figure(name: str, shown: str, held: Any) -> str:
    """`accuracy 93.5 % (90.9-95.9)`."""
    figure = Estimate(pick(held, "value"), pick(held, "low"), pick(held, "high"))
    value, _ = cell(figure, name)
    _, style = (METRICS | CLASS_METRICS)[name]
    interval = between(figure, style)
    return f"{shown} {value}" + (f" ({interval})" if interval else "")


def _said(seen: Evidence, text: str) -> Said:
    return Said(text, seen.where("evaluation", "metrics.json"))
