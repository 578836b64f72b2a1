"""Owns what the page says of a training run: curves, the choice of epoch, where it came from."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from brainlens.report import plots
from brainlens.report.artefacts import CURVES, History, Run, pick, read_run
from brainlens.report.audited import certificate
from brainlens.report.facts import NONE, facts, plain, protocol

View = dict[str, Any]


def run(folder: Path) -> View:
    """What is said of a training run."""
    read = read_run(folder)
    provenance = read.provenance
    best = pick(provenance, "best_epoch")
    return {
        "verdict": _run_verdict(read),
        "interrupted": pick(provenance, "stopped") == "interrupted",
        "curves": learning_curves(read.history, best),
        "certificate": certificate(pick(provenance, "certificate") or {}),
        "facts": facts(provenance),
        "protocol": protocol(pick(provenance, "split")),
        "command": pick(provenance, "command"),
        "config": [(key, plain(value)) for key, value in read.config.items()],
    }


def percent(value: float | None) -> str:
    """0.95 as `95.0 %`."""
    return NONE if value is None else f"{100 * value:.1f} %"


def _run_verdict(read: Run) -> str:
    provenance = read.provenance
    epochs = len(read.history)
    said = f"Trained for {epochs} epoch{'' if epochs == 1 else 's'}"
    best, value = pick(provenance, "best_epoch"), pick(provenance, "best_value")
    if best is not None and isinstance(value, int | float):
        monitor = plain(pick(provenance, "monitor"))
        figure = percent(value) if "accuracy" in monitor else f"{value:.4g}"
        said += f"; kept epoch {best}, the best by {monitor} ({figure})"
    return said + ". That figure chose the epoch, so it is no result: evaluate on the test split."


def learning_curves(history: History, best: Any) -> list[tuple[str, str, Markup]]:
    """Accuracy and loss by epoch: a name, words for who cannot see it, the drawing."""
    best_epoch = best if isinstance(best, int) else None
    last = history[-1] if history else {}
    words = ", ".join(
        f"{name.replace('_', ' ')} {value:.3f}"
        for name in CURVES
        if (value := last.get(name)) is not None
    )
    drawn = [{name: row.get(name) for name in ("epoch", *CURVES)} for row in history]
    return [
        (
            what,
            f"Training and validation {what} over {len(history)} epochs; last: {words or 'none'}",
            Markup(_drawn(json.dumps(drawn), what, best_epoch)),
        )
        for what in ("accuracy", "loss")
        if history
    ]


@functools.lru_cache(maxsize=8)  # a reproduction's page shows each training twice
def _drawn(history: str, what: str, best_epoch: int | None) -> str:
    """The drawing of a history as JSON."""
    return plots.curves(json.loads(history), what, best_epoch)
