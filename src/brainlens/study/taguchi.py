"""Owns the statistics of a design: S/N, effects, analysis of variance, optimum, aliases. Pure.

Enters: a matrix (runs, factors) of levels from 0 and responses (runs, R), one column a replicate.
Leaves: plain numbers. Taguchi, System of Experimental Design (1987); sums of squares are of type
II (each factor after all others), which for orthogonal designs is the textbook's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from brainlens.core.errors import ConfigError
from brainlens.data.preprocess import Array

Goal = Literal["larger", "smaller", "nominal"]


@dataclass(frozen=True)
class Line:
    """One line of an analysis of variance; None where there is nothing to compute it from."""

    source: str
    df: int
    ss: float
    ms: float | None
    f: float | None = None
    p: float | None = None
    contribution: float | None = None  # percent of the total, less what error explains


@dataclass(frozen=True)
class Optimum:
    """What the additive model expects of the best levels."""

    levels: list[int]
    predicted: float
    low: float | None  # interval of the mean of `runs` confirmation runs
    high: float | None
    runs: int


def signal_to_noise(y: Array, goal: Goal) -> Array:
    """Decibels (runs,) of responses (runs, R); nan where undefined (nominal: one replicate)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if goal == "larger":
            return np.asarray(-10 * np.log10(np.mean(1 / y**2, 1)))
        if goal == "smaller":
            return np.asarray(-10 * np.log10(np.mean(y**2, 1)))
        spread = y.var(1, ddof=1) if y.shape[1] > 1 else np.full(len(y), np.nan)
        return np.asarray(10 * np.log10(y.mean(1) ** 2 / spread))


def main_effects(matrix: Array, values: Array) -> list[list[float | None]]:
    """The mean of `values` (runs,) at each level of each factor; None where no run has it."""
    return [
        [_mean(values[column == level]) for level in range(column.max() + 1)] for column in matrix.T
    ]


def _mean(values: Array) -> float | None:
    return float(values.mean()) if len(values) else None


def cell_means(matrix: Array, values: Array, a: int, b: int) -> list[list[float | None]]:
    """The mean at each pair of levels of two factors; None where a pair was not tried."""
    first, second = matrix[:, a], matrix[:, b]
    return [
        [_mean(values[(first == i) & (second == j)]) for j in range(second.max() + 1)]
        for i in range(first.max() + 1)
    ]


def anova(matrix: Array, y: Array, names: Sequence[str], *, pool: Sequence[str] = ()) -> list[Line]:
    """The table: factors, lack of fit and pure error where both exist, error, total.

    Factors in `pool` count as error. With no degrees of freedom left for error (a saturated array
    without replicates) F and p are None. Raises ConfigError for factors that cannot be told apart.
    """
    runs, replicates = y.shape
    kept = [i for i, name in enumerate(names) if name not in pool]
    means = y.mean(1)
    full = _model(matrix, kept)
    rank = int(np.linalg.matrix_rank(full))
    pure = float(((y - means[:, None]) ** 2).sum())
    fit = replicates * _residual(full, means)
    total = float(((y - y.mean()) ** 2).sum())
    error, error_df = fit + pure, runs * replicates - rank
    error_ms = error / error_df if error_df else None
    lines = []
    for i in kept:
        rest = _model(matrix, [j for j in kept if j != i])
        df = rank - int(np.linalg.matrix_rank(rest))
        levels = len(np.unique(matrix[:, i]))
        if df < levels - 1:
            raise ConfigError(
                f"factor {names[i]!r} cannot be told apart from the others in these {runs} rows. "
                "Run more rows, or leave a factor out"
            )
        ss = max(replicates * _residual(rest, means) - replicates * _residual(full, means), 0.0)
        lines.append(_line(names[i], df, ss, error_ms, error_df, total))
    fit_df, pure_df = runs - rank, runs * (replicates - 1)
    if fit_df and pure_df:
        lines.append(_line("lack of fit", fit_df, fit, pure / pure_df, pure_df, None))
        lines.append(Line("pure error", pure_df, pure, pure / pure_df))
    left = 100 - sum(line.contribution or 0 for line in lines) if error_df and total else None
    lines.append(Line("error", error_df, error, error_ms, contribution=left))
    lines.append(Line("total", runs * replicates - 1, total, None))
    return lines


def _line(
    source: str, df: int, ss: float, error_ms: float | None, error_df: int, total: float | None
) -> Line:
    ms = ss / df if df else None
    f = ms / error_ms if ms is not None and error_ms else None
    p = float(stats.f.sf(f, df, error_df)) if f is not None else None
    share = None
    if total and error_ms is not None:
        share = 100 * (ss - df * error_ms) / total
    return Line(source, df, ss, ms, f, p, share)


def _model(matrix: Array, factors: Sequence[int]) -> Array:
    """The design of an additive model: the mean, and each level but the first."""
    columns = [np.ones(len(matrix))]
    for i in factors:
        columns += [(matrix[:, i] == level).astype(float) for level in np.unique(matrix[:, i])[1:]]
    return np.stack(columns, 1)


def _residual(model: Array, values: Array) -> float:
    """The sum of squares that the model leaves."""
    solution = np.linalg.lstsq(model, values, rcond=None)[0]
    return float(((values - model @ solution) ** 2).sum())


def best_levels(matrix: Array, values: Array, *, largest: bool = True) -> list[int]:
    """The level of each factor with the largest (smallest) mean; the first of equals."""
    sign = 1 if largest else -1
    return [
        max((level for level, mean in enumerate(means) if mean is not None),
            key=lambda level, means=means: sign * means[level])  # type: ignore[misc]
        for means in main_effects(matrix, values)
    ]  # fmt: skip


def optimum(
    matrix: Array, y: Array, levels: Sequence[int], *, runs: int = 1, pool: Sequence[int] = (),
    confidence: float = 0.95,
) -> Optimum:  # fmt: skip
    """The additive model's expectation at `levels`, with the interval of a mean of `runs` runs.

    Half-width t * sqrt(MSe * (1 / n_eff + 1 / runs)), as sqrt(F(1, dfe) * ...) of the textbooks.
    """
    kept = [i for i in range(matrix.shape[1]) if i not in pool]
    model = np.repeat(_model(matrix, kept), y.shape[1], 0)  # (runs * R, parameters)
    values = y.reshape(-1)
    solution, _, rank, _ = np.linalg.lstsq(model, values, rcond=None)
    at = [1.0]
    for i in kept:
        at += [float(levels[i] == level) for level in np.unique(matrix[:, i])[1:]]
    predicted = float(np.dot(at, solution))
    df = len(values) - int(rank)
    if not df:
        return Optimum(list(levels), predicted, None, None, runs)
    mse = float(((values - model @ solution) ** 2).sum()) / df
    lever = float(np.array(at) @ np.linalg.pinv(model.T @ model) @ np.array(at))  # 1 / n_eff
    half = float(stats.t.ppf(0.5 + confidence / 2, df)) * math.sqrt(mse * (lever + 1 / runs))
    return Optimum(list(levels), predicted, predicted - half, predicted + half, runs)


def aliases(matrix: Array, names: Sequence[str]) -> list[tuple[str, str, dict[str, float]]]:
    """For each pair of factors: how much of each other factor's effect its interaction can feign.

    1: wholly confounded, as in every L9 of four factors; 0: told apart, as in a factorial.
    """
    found = []
    for a, b in itertools.combinations(range(matrix.shape[1]), 2):
        cells = matrix[:, a] * (matrix[:, b].max() + 1) + matrix[:, b]
        inside = _span((cells[:, None] == np.unique(cells)).astype(float))
        additive = _span(_model(matrix, [a, b]))
        shares = {}
        for c in set(range(matrix.shape[1])) - {a, b}:
            own = _span(_model(matrix, [c]) - _model(matrix, [c]).mean(0))
            if not own.shape[1]:  # one level left of it
                continue
            beyond = own - additive @ (additive.T @ own)
            caught = ((inside.T @ beyond) ** 2).sum() / own.shape[1]
            if caught > 1e-9:
                shares[names[c]] = float(caught)
        found.append((names[a], names[b], shares))
    return found


def _span(columns: Array) -> Array:
    """An orthonormal basis of what the columns span."""
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, size > 1e-9 * size.max()])
