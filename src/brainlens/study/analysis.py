"""Owns what a study's responses say: per arm the tables of Taguchi's method, as plain values.

Enters: a design and the responses of its finished rows. Leaves: dictionaries for study.json.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from scipy import stats

from brainlens.core.errors import ConfigError
from brainlens.data.preprocess import Array
from brainlens.study import taguchi
from brainlens.study.design import Design

LEVEL = 0.95


def analyse(design: Design, rows: list[int], y: Array) -> dict[str, Any]:
    """One arm's tables, of the finished `rows` and their responses (len(rows), R)."""
    matrix, names = design.matrix[rows], list(design.factors)
    means = y.mean(1)
    ratio = taguchi.signal_to_noise(y, design.goal)
    # Nominal-is-best needs the spread, so a ratio; where there is none the means choose.
    by_ratio = bool(np.isfinite(ratio).all())
    largest = by_ratio or design.goal != "smaller"
    chosen = taguchi.best_levels(matrix, ratio if by_ratio else means, largest=largest)
    pool = [names.index(name) for name in design.config.pool]
    best = int((np.argmin if design.goal == "smaller" else np.argmax)(means))
    table: list[dict[str, Any]] | None
    note = ""
    try:
        lines = taguchi.anova(matrix, y, names, pool=design.config.pool)
        table = [dataclasses.asdict(line) for line in lines]
        error = next(line for line in lines if line.source == "error")
        if not error.df:
            note = (
                "no degrees of freedom are left for error: no effect can be told from chance. Run "
                "replicates, or pool a factor"
            )
    except ConfigError as caught:
        table, note = None, str(caught)
    expected = taguchi.optimum(matrix, y, chosen, runs=y.shape[1], pool=pool, confidence=LEVEL)
    return {
        "rows": rows,
        "mean": float(y.mean()),
        "signal_to_noise": [_finite(value) for value in ratio],
        "effects": {
            "response": dict(zip(names, taguchi.main_effects(matrix, means), strict=True)),
            "signal_to_noise": dict(zip(names, taguchi.main_effects(matrix, ratio), strict=True))
            if by_ratio else None,
        },
        "anova": table,
        "anova_note": note,
        "interactions": [
            {"factors": [names[a], names[b]], "means": taguchi.cell_means(matrix, means, a, b)}
            for a in range(len(names)) for b in range(a + 1, len(names))
        ],
        "aliases": [
            {"factors": [a, b], "with": shares}
            for a, b, shares in taguchi.aliases(matrix, names)
        ],
        "chosen_by": "signal_to_noise" if by_ratio else "mean",
        "chosen": {"levels": chosen, "settings": _shown(design.at(chosen)),
                   "row": _row_of(matrix, rows, chosen)},
        "best_row": {"row": rows[best], "settings": _shown(design.levels(rows[best])),
                     "mean": float(means[best])},
        "predicted": {"value": expected.predicted, "low": expected.low, "high": expected.high,
                      "level": LEVEL, "of": f"the mean of {expected.runs} new runs"},
    }  # fmt: skip


def compare_arms(first: Array, second: Array) -> dict[str, Any]:
    """Second arm less first, paired by row and seed: (rows, R) each; a t interval over rows."""
    return paired((second - first).mean(1))


def paired(differences: Array) -> dict[str, float | None]:
    """The mean of paired differences with its t interval; none where they do not vary."""
    mean, count = float(differences.mean()), len(differences)
    if count < 2 or not differences.std():
        return {"value": mean, "low": None, "high": None}
    scale = differences.std(ddof=1) / math.sqrt(count)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, count - 1) * scale)
    return {"value": mean, "low": mean - half, "high": mean + half}


def _row_of(matrix: Array, rows: list[int], levels: list[int]) -> int | None:
    """The row that tries exactly these levels."""
    found = np.flatnonzero((matrix == np.array(levels)).all(1))
    return rows[int(found[0])] if len(found) else None


def _shown(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as JSON holds them."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
