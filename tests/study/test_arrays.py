"""Arrays are orthogonal, the smallest that fits, or refused with the reason."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainlens.core.errors import ConfigError
from brainlens.study.arrays import factorial, orthogonal, sample, unbalanced_pairs


@pytest.mark.parametrize(
    ("levels", "name", "runs"),
    [
        ([2, 2, 2], "L4(2^3)", 4),
        ([2] * 7, "L8(2^7)", 8),
        ([3, 3, 3, 3], "L9(3^4)", 9),
        ([2] * 11, "L12(2^11)", 12),
        ([4] * 5, "L16(4^5)", 16),
        ([6, 3, 3], "L18(6^1 3^6)", 18),
        ([5] * 6, "L25(5^6)", 25),
        ([3] * 40, "L81(3^40)", 81),
    ],
)
def test_the_smallest_array_that_takes_the_factors(levels: list[int], name: str, runs: int) -> None:
    found, matrix = orthogonal(levels)
    assert found == name
    assert matrix.shape == (runs, len(levels))
    assert (matrix.max(0) + 1).tolist() == levels


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from([2, 3, 4, 5]), min_size=1, max_size=8))
def test_every_array_given_is_orthogonal(levels: list[int]) -> None:
    """Counted here, pair by pair, another way than in the code."""
    try:
        _, matrix = orthogonal(levels)
    except ConfigError as error:
        assert "factorial" in str(error)  # noqa: PT017
        return
    for a, b in itertools.combinations(range(len(levels)), 2):
        cells = Counter(zip(matrix[:, a].tolist(), matrix[:, b].tolist(), strict=True))
        assert len(cells) == levels[a] * levels[b]
        assert len(set(cells.values())) == 1


@pytest.mark.parametrize(
    ("levels", "name", "says"),
    [
        ([3] * 5, "L9", "5 of 3 levels: the array has 4 columns of 3 levels"),
        ([2, 3], "L9", "the array has 0 columns of 2 levels"),
        ([7, 7], "auto", "the arrays have at most 0 columns of 7 levels"),
        ([3, 3], "L7", "no such orthogonal array. Valid: auto, L4"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    levels: list[int], name: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=r".*") as caught:
        orthogonal(levels, name)
    assert says in str(caught.value)


def test_a_factorial_holds_every_combination_once() -> None:
    matrix = factorial([2, 3, 2])
    assert sorted(map(tuple, matrix.tolist())) == sorted(
        itertools.product(range(2), range(3), range(2))
    )
    with pytest.raises(ConfigError, match="59,049 runs"):
        factorial([3] * 10)


def test_a_sample_repeats_nothing_and_is_the_same_again() -> None:
    matrix = sample([3, 3, 3, 3], 20, seed=4)
    assert len({tuple(row) for row in matrix.tolist()}) == 20
    np.testing.assert_array_equal(matrix, sample([3, 3, 3, 3], 20, seed=4))
    assert not np.array_equal(matrix, sample([3, 3, 3, 3], 20, seed=5))
    assert len(sample([3] * 20, 50, seed=0)) == 50  # 3.5 thousand million combinations
    with pytest.raises(ConfigError, match="1 to 4"):
        sample([2, 2], 5, seed=0)


def test_unbalanced_pairs_are_named() -> None:
    assert unbalanced_pairs(factorial([2, 2, 2])) == []
    assert unbalanced_pairs(factorial([2, 2, 2])[:7]) == [(0, 1), (0, 2), (1, 2)]
