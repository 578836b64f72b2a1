"""Owns the rows of a design: which level of each factor is tried in which run.

Enters: how many levels each factor has. Leaves: an integer matrix (runs, factors), levels from 0.
Three kinds share the form: Taguchi's orthogonal arrays (from pydoe, checked here), the full
factorial, and a random sample of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from brainlens.core.errors import ConfigError
from brainlens.core.seeding import generator
from brainlens.data.preprocess import Array

MOST = 20_000  # runs of a factorial: beyond it, the answer is another design


def orthogonal(levels: Sequence[int], name: str = "auto") -> tuple[str, Array]:
    """The smallest orthogonal array that fits, or the one named (`L9`), with its matrix.

    Raises ConfigError where none fits, and says why.
    """
    known = _known()
    wanted = {
        full: a for full, a in known.items() if name in ("auto", full, full.partition("(")[0])
    }
    if not wanted:
        names = ", ".join(dict.fromkeys(full.partition("(")[0] for full in known))
        raise ConfigError(f"array={name!r}: no such orthogonal array. Valid: auto, {names}")
    for full, array in sorted(wanted.items(), key=lambda item: len(item[1])):
        columns = _columns(array, levels)
        if columns is not None:
            return full, array[:, columns]
    raise ConfigError(_no_fit(levels, name, wanted))


def factorial(levels: Sequence[int]) -> Array:
    """Every combination, the last factor changing fastest."""
    runs = math.prod(levels)
    if runs > MOST:
        raise ConfigError(
            f"array='factorial': {' x '.join(map(str, levels))} is {runs:,} runs; expected at most "
            f"{MOST:,}. Use an orthogonal array, or array = 'random' with runs = 50"
        )
    return np.array(list(itertools.product(*map(range, levels))), dtype=np.int64)


def sample(levels: Sequence[int], runs: int, seed: int) -> Array:
    """`runs` different combinations drawn from the factorial, evenly."""
    total = math.prod(levels)
    if not 1 <= runs <= total:
        raise ConfigError(f"runs={runs}: expected 1 to {total}, the number of combinations")
    draw = generator(seed, "study", "sample")
    picks = (
        draw.choice(total, runs, replace=False) if total < 10**7 else _distinct(draw, total, runs)
    )
    return np.stack(np.unravel_index(np.sort(picks), tuple(levels)), 1).astype(np.int64)


def _distinct(draw: np.random.Generator, total: int, runs: int) -> Array:
    found: set[int] = set()
    while len(found) < runs:
        found.update(draw.integers(total, size=runs - len(found)).tolist())
    return np.array(sorted(found))


def unbalanced_pairs(matrix: Array) -> list[tuple[int, int]]:
    """The pairs of factors whose level combinations are not equally frequent; none: orthogonal."""
    pairs = itertools.combinations(range(matrix.shape[1]), 2)
    return [(a, b) for a, b in pairs if not _balanced(matrix[:, a], matrix[:, b])]


def _balanced(a: Array, b: Array) -> bool:
    """Whether every combination of levels is there, equally often."""
    cells = np.zeros((a.max() + 1, b.max() + 1), dtype=np.int64)
    np.add.at(cells, (a, b), 1)
    return bool((cells == cells[0, 0]).all())


@cache
def _known() -> dict[str, Array]:
    """pydoe's arrays of L4 to L81 that are what their name says."""
    from pydoe.taguchi import get_orthogonal_array, list_orthogonal_arrays

    arrays = {name: np.asarray(get_orthogonal_array(name)) for name in list_orthogonal_arrays()}
    return {name: array for name, array in arrays.items() if not unbalanced_pairs(array)}


def _columns(array: Array, levels: Sequence[int]) -> list[int] | None:
    """A column of the array for each factor, with as many levels; None where they do not go in."""
    free = {i: int(array[:, i].max()) + 1 for i in range(array.shape[1])}
    chosen = []
    for count in levels:
        column = next((i for i, has in free.items() if has == count), None)
        if column is None:
            return None
        chosen.append(column)
        del free[column]
    return chosen


def _no_fit(levels: Sequence[int], name: str, wanted: dict[str, Array]) -> str:
    """Why no array takes these factors."""
    asked = ", ".join(f"{levels.count(n)} of {n} levels" for n in sorted(set(levels)))
    largest = {
        n: max(int((array.max(0) + 1 == n).sum()) for array in wanted.values()) for n in set(levels)
    }
    too_many = [n for n in sorted(set(levels)) if levels.count(n) > largest[n]]
    why = "no array has both kinds of column"
    if too_many:
        has = "the array has" if name != "auto" else "the arrays have at most"
        why = f"{has} {largest[too_many[0]]} columns of {too_many[0]} levels"
    return (
        f"array={name!r}: does not take {asked}: {why}. Give the factors other numbers of levels, "
        f"or use array = 'factorial' ({math.prod(levels):,} runs) or array = 'random'"
    )
