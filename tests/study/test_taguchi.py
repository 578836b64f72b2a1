"""Taguchi's arithmetic agrees with textbooks, with hand sums and with statsmodels."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from brainlens.core.errors import ConfigError
from brainlens.study.arrays import orthogonal
from brainlens.study.taguchi import (
    Goal,
    Line,
    aliases,
    anova,
    best_levels,
    cell_means,
    main_effects,
    optimum,
    signal_to_noise,
)

NAMES = ["A", "B", "C", "D"]
L9 = orthogonal([3, 3, 3, 3])[1]
# Yang and El-Haik, Design for Six Sigma (2003), example 13.12: the yield of three factors in three
# columns of an L9 (by their sums the first, second and fourth here). Their table: SS 158, 8/3,
# 56/3, error 2/3, total 180; prediction 65/3.
BOOK = L9[:, [0, 1, 3]]
YIELD = np.array([[8.0], [12], [9], [11], [12], [15], [21], [18], [20]])
# Montgomery, Design and Analysis of Experiments, table 5.1: battery life by material (rows) and
# temperature, four replicates. SS published to cents: 10683.72, 39118.72, 9613.78, 18230.75.
BATTERY = np.array(
    [
        [130, 155, 74, 180], [34, 40, 80, 75], [20, 70, 82, 58],
        [150, 188, 159, 126], [136, 122, 106, 115], [25, 70, 58, 45],
        [138, 110, 168, 160], [174, 120, 150, 139], [96, 104, 82, 60],
    ],
    dtype=float,
)  # fmt: skip
GRID = np.array(list(itertools.product(range(3), range(3))))


def by_source(lines: list[Line]) -> dict[str, Line]:
    return {line.source: line for line in lines}


# --- a textbook's L9 ----------------------------------------------------------------------------
def test_the_array_is_the_one_of_the_books() -> None:
    """Column by column; which of the two last stands first is a matter of taste."""
    assert L9[:, 0].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert L9[:, 1].tolist() == [0, 1, 2] * 3
    assert L9[:, 2].tolist() == [0, 1, 2, 1, 2, 0, 2, 0, 1]


def test_a_textbook_l9() -> None:
    lines = by_source(anova(BOOK, YIELD, ["A", "B", "C"]))
    expected = {"A": 158, "B": 8 / 3, "C": 56 / 3, "error": 2 / 3, "total": 180}
    for source, ss in expected.items():
        assert lines[source].ss == pytest.approx(ss, abs=1e-9), source
    assert [lines[s].df for s in expected] == [2, 2, 2, 2, 8]
    assert lines["A"].f == pytest.approx(79 / (1 / 3), abs=1e-9)
    assert lines["A"].contribution == pytest.approx(100 * (158 - 2 / 3) / 180, abs=1e-9)
    # They set A to 3 and C to 2 and predict with these two alone: 19.67 + 16 - 14.
    best = best_levels(BOOK, YIELD[:, 0])
    assert (best[0], best[2]) == (2, 1)
    expected_yield = optimum(BOOK, YIELD, best, pool=[1])
    assert expected_yield.predicted == pytest.approx(59 / 3 + 16 - 14, abs=1e-9)


def test_main_effects_by_hand() -> None:
    effects = [np.array(own, float) for own in main_effects(BOOK, YIELD[:, 0])]
    np.testing.assert_allclose(effects[0], [29 / 3, 38 / 3, 59 / 3], rtol=0, atol=1e-12)
    np.testing.assert_allclose(effects[1], [40 / 3, 42 / 3, 44 / 3], rtol=0, atol=1e-12)


def test_a_saturated_array_without_replicates_tells_nothing_from_chance() -> None:
    lines = by_source(anova(L9, YIELD, NAMES))
    assert lines["error"].df == 0
    assert lines["C"].ss == pytest.approx(2 / 3, abs=1e-9)  # the book's error is the column left
    assert all(lines[n].f is None and lines[n].p is None for n in NAMES)
    assert optimum(L9, YIELD, [2, 0, 0, 0]).low is None
    pooled = by_source(anova(L9, YIELD, NAMES, pool=["C"]))
    assert pooled["error"].df == 2
    assert pooled["A"].f == pytest.approx(237, abs=1e-9)


# --- replicates ---------------------------------------------------------------------------------
def exact_battery() -> dict[str, Fraction]:
    """The sums of squares in fractions, from the definition."""
    y = [[Fraction(int(v)) for v in row] for row in BATTERY]
    everything = [v for row in y for v in row]
    correction = sum(everything) ** 2 / Fraction(36)

    def totals(key: int) -> Fraction:
        sums = [
            sum(v for r, c in zip(y, GRID, strict=True) if c[key] == k for v in r) for k in range(3)
        ]
        return Fraction(sum(s * s for s in sums), 12) - correction

    cells = Fraction(sum(sum(r) ** 2 for r in y), 4) - correction
    total = sum(v * v for v in everything) - correction
    return {
        "material": totals(0), "temperature": totals(1),
        "lack of fit": cells - totals(0) - totals(1), "pure error": total - cells, "total": total,
    }  # fmt: skip


def test_a_textbook_factorial_with_replicates() -> None:
    """The interaction is the lack of fit of the additive model."""
    exact = exact_battery()
    assert round(float(exact["material"]), 2) == 10683.72  # as printed
    assert round(float(exact["temperature"]), 2) == 39118.72
    assert round(float(exact["lack of fit"]), 2) == 9613.78
    assert float(exact["pure error"]) == 18230.75
    lines = by_source(anova(GRID, BATTERY, ["material", "temperature"]))
    for source, ss in exact.items():
        assert lines[source].ss == pytest.approx(float(ss), rel=1e-9), source
    assert [lines[s].df for s in exact] == [2, 2, 4, 27, 35]
    assert lines["error"].df == 31
    fit = lines["lack of fit"]
    assert fit.f is not None
    assert round(fit.f, 2) == 3.56  # the book's F of the interaction
    assert fit.p == pytest.approx(stats.f.sf(fit.f, 4, 27))
    for line in lines.values():
        if line.source != "total":
            assert line.ms == pytest.approx(line.ss / line.df), line.source
    shares = [lines[name].contribution for name in ("material", "temperature", "error")]
    assert sum(share or 0 for share in shares) == pytest.approx(100)
    error_ms = lines["error"].ms
    assert error_ms is not None
    expected = 100 * (float(exact["material"]) - 2 * error_ms) / float(exact["total"])
    assert shares[0] == pytest.approx(expected)
    assert lines["lack of fit"].contribution is None


def test_factors_that_are_one_are_refused() -> None:
    matrix = np.array([[0, 0], [1, 1], [2, 2], [0, 0]])
    with pytest.raises(ConfigError) as caught:
        anova(matrix, np.arange(8.0).reshape(4, 2), ["a", "b"])
    assert str(caught.value) == (
        "factor 'a' cannot be told apart from the others in these 4 rows. Run more rows, or leave "
        "a factor out"
    )
    # Told apart in part is not enough.
    partly = np.array([[0, 0], [1, 1], [2, 2], [2, 1]])
    with pytest.raises(ConfigError, match="cannot be told apart"):
        anova(partly, np.arange(8.0).reshape(4, 2), ["a", "b"])


def test_equal_responses_explain_nothing() -> None:
    lines = by_source(anova(GRID, np.ones((9, 4)), ["material", "temperature"]))
    assert lines["material"].contribution is None
    assert lines["error"].contribution is None


def test_an_interaction_shows_in_the_cells() -> None:
    cells = cell_means(GRID, BATTERY.mean(1), 0, 1)
    assert cells[0] == [134.75, 57.25, 57.5]  # as the book has them
    assert cells[2] == [144.0, 145.75, 85.5]
    assert cell_means(L9[:8], YIELD[:8, 0], 0, 1)[2][2] is None  # a row that was not run
    assert [len(row) for row in cells] == [3, 3, 3]


# --- against statsmodels ------------------------------------------------------------------------
def oracle(matrix: np.ndarray, y: np.ndarray, names: list[str]) -> pd.DataFrame:
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    frame = pd.DataFrame(np.repeat(matrix, y.shape[1], 0), columns=names)
    frame["y"] = y.reshape(-1)
    model = ols("y ~ " + " + ".join(f"C({name})" for name in names), frame).fit()
    return anova_lm(model, typ=2)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["L4", "L8", "L9", "L18", "L27"]), st.integers(2, 4))
def test_the_analysis_of_variance_is_statsmodels(seed: int, array: str, replicates: int) -> None:
    levels = {"L4": [2, 2], "L8": [2] * 5, "L9": [3] * 4, "L18": [3] * 5, "L27": [3] * 6}[array]
    matrix = orthogonal(levels, array)[1]
    y = np.random.default_rng(seed).normal(0.9, 0.05, (len(matrix), replicates))
    compare(matrix, y)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_so_it_is_for_rows_that_are_not_orthogonal(seed: int) -> None:
    """A random search, or an array with a failed row."""
    draw = np.random.default_rng(seed)
    matrix = np.vstack([L9, draw.integers(0, 3, (6, 4))])[draw.permutation(15)[:13]]
    y = draw.normal(0, 1, (13, 2)) + matrix.sum(1, keepdims=True)
    try:
        compare(matrix, y)
    except ConfigError as error:
        assert "cannot be told apart" in str(error)  # noqa: PT017


def compare(matrix: np.ndarray, y: np.ndarray) -> None:
    names = [f"f{i}" for i in range(matrix.shape[1])]
    lines, table = by_source(anova(matrix, y, names)), oracle(matrix, y, names)
    for name in names:
        row = table.loc[f"C({name})"]
        assert lines[name].df == row["df"]
        assert lines[name].ss == pytest.approx(row["sum_sq"], rel=1e-9, abs=1e-12)
        assert lines[name].f == pytest.approx(row["F"], rel=1e-9, abs=1e-9)
        assert lines[name].p == pytest.approx(row["PR(>F)"], rel=1e-8, abs=1e-9)
    assert lines["error"].df == table.loc["Residual", "df"]
    assert lines["error"].ss == pytest.approx(table.loc["Residual", "sum_sq"], rel=1e-9)


def test_the_predicted_optimum_and_its_interval_are_statsmodels() -> None:
    from statsmodels.formula.api import ols

    y = np.random.default_rng(3).normal(0.9, 0.02, (9, 5))
    frame = pd.DataFrame(np.repeat(L9[:, :3], 5, 0), columns=["a", "b", "c"])
    frame["y"] = y.reshape(-1)
    model = ols("y ~ C(a) + C(b) + C(c)", frame).fit()
    told = model.get_prediction(pd.DataFrame([[2, 0, 1]], columns=["a", "b", "c"]))
    ours = optimum(L9[:, :3], y, [2, 0, 1], runs=1)
    low, high = told.conf_int(obs=True)[0]  # of one new observation
    assert ours.predicted == pytest.approx(told.predicted_mean[0], abs=1e-9)
    assert ours.low == pytest.approx(low, abs=1e-9)
    assert ours.high == pytest.approx(high, abs=1e-9)
    # Taguchi's formula: n_eff = N / (1 + the degrees of freedom in the prediction) = 45 / 7.
    half = math.sqrt(stats.f.ppf(0.95, 1, 38) * model.mse_resid * (7 / 45 + 1 / 5))
    of_five = optimum(L9[:, :3], y, [2, 0, 1], runs=5)
    assert of_five.high == pytest.approx(of_five.predicted + half, abs=1e-9)
    assert (of_five.levels, of_five.runs) == ([2, 0, 1], 5)
    assert optimum(L9[:, :3], y, [2, 0, 1]) == ours


def test_a_saturated_array_predicts_without_an_interval() -> None:
    y = np.random.default_rng(3).normal(0.9, 0.02, (9, 1))
    found = optimum(L9, y, [0, 0, 0, 0], runs=3)  # a row of the array: the model goes through it
    assert found.predicted == pytest.approx(y[0, 0], abs=1e-9)
    assert (found.levels, found.low, found.high, found.runs) == ([0, 0, 0, 0], None, None, 3)


def test_the_best_level_is_the_largest_or_the_smallest_mean() -> None:
    matrix = np.array([[0, 0], [1, 0], [2, 1], [1, 1]])
    values = np.array([3.0, 1.0, 9.0, 3.0])
    assert best_levels(matrix, values) == [2, 1]
    assert best_levels(matrix, values, largest=False) == [1, 0]


# --- S/N ----------------------------------------------------------------------------------------
def test_signal_to_noise_by_hand() -> None:
    y = np.array([[1.0, 2.0], [4.0, 4.0]])
    assert signal_to_noise(y, "larger")[0] == pytest.approx(-10 * math.log10((1 + 1 / 4) / 2))
    assert signal_to_noise(y, "smaller")[1] == pytest.approx(-10 * math.log10(16))
    assert signal_to_noise(y, "nominal")[0] == pytest.approx(10 * math.log10(1.5**2 / 0.5))
    assert math.isnan(signal_to_noise(y[:, :1], "nominal")[0])
    assert math.isnan(signal_to_noise(np.zeros((1, 2)), "nominal")[0])  # and says nothing of 0 / 0


def test_signal_to_noise_is_pydoe_s() -> None:
    from pydoe.taguchi import TaguchiObjective, compute_snr

    y = np.random.default_rng(0).uniform(0.5, 1, (9, 5))
    goals: tuple[tuple[Goal, TaguchiObjective], ...] = (
        ("larger", TaguchiObjective.LARGER_IS_BETTER),
        ("smaller", TaguchiObjective.SMALLER_IS_BETTER),
        ("nominal", TaguchiObjective.NOMINAL_IS_BEST),
    )
    for goal, theirs in goals:
        expected = [compute_snr(row, theirs) for row in y]
        np.testing.assert_allclose(signal_to_noise(y, goal), expected, rtol=0, atol=1e-9)


# --- what a design can tell apart ---------------------------------------------------------------
def test_in_a_saturated_l9_every_interaction_is_two_other_factors() -> None:
    found = aliases(L9, NAMES)
    assert len(found) == 6
    for a, b, shares in found:
        assert set(shares) == set(NAMES) - {a, b}
        assert list(shares.values()) == pytest.approx([1, 1])


def test_a_factorial_confounds_nothing() -> None:
    grid = np.array(list(itertools.product(range(3), repeat=3)))
    assert all(not shares for _, _, shares in aliases(grid, ["A", "B", "C"]))


def test_in_an_l4_the_third_column_is_the_interaction_of_the_others() -> None:
    ((_, _, shares), *_) = aliases(orthogonal([2, 2, 2])[1], ["A", "B", "C"])
    assert shares == {"C": pytest.approx(1)}


def test_an_interaction_feigns_nothing_that_its_own_factors_tell() -> None:
    a, b = np.array(list(itertools.product(range(2), range(3)))).T
    alone = np.zeros(6, int)
    found = {
        (one, other): shares
        for one, other, shares in aliases(
            np.array([a, alone, b, a, a ^ (b > 0)]).T, ["a", "alone", "b", "as a", "mixed"]
        )
    }
    assert set(found["a", "b"]) == {"mixed"}  # neither `as a` nor what has one level
    assert 0 < found["a", "b"]["mixed"] < 1


def test_the_seed_s_printed_array_cannot_tell_its_factors_apart_evenly() -> None:
    """Seed A, table 5: no pair of its last three columns is balanced."""
    from brainlens.study.arrays import unbalanced_pairs

    optimizer = [0, 1, 2] * 3
    activation = [0, 0, 1, 2, 2, 1, 1, 0, 2]  # tanh, ELU, ReLU (printed "SGD")
    rate = [1, 0, 2, 0, 1, 0, 2, 1, 2]
    printed = np.array([[i // 3 for i in range(9)], optimizer, activation, rate]).T
    assert unbalanced_pairs(printed) == [(0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
