"""Nearest pictures: a copy is found under any symmetry, and the rest lies far behind it."""

from __future__ import annotations

import numpy as np
import pytest

from brainlens.data import symmetry
from brainlens.data.laying import TWIN
from brainlens.data.neighbours import described, neighbours
from tests.synthesis.conftest import head

HEADS = np.stack([head("near", i) for i in range(20)])
GROUPS = [f"g{i}" for i in range(20)]


@pytest.mark.parametrize("turn", [0, 1, 4, 6])
def test_a_turned_copy_finds_its_picture(turn: int) -> None:
    copies = symmetry.turn(HEADS[:4].copy(), turn)
    found = neighbours(described(copies), described(HEADS), GROUPS)
    assert found.nearest.tolist() == [0, 1, 2, 3]
    assert bool((found.r >= TWIN).all())
    assert bool((found.lead > 0.5).all())
    restored = [symmetry.turn(HEADS[j : j + 1].copy(), s)[0]
                for j, s in zip(found.nearest, found.symmetry, strict=True)]  # fmt: skip
    for copy, again in zip(copies, restored, strict=True):
        assert np.corrcoef(copy.ravel(), again.ravel())[0, 1] > 0.99


def test_other_pictures_are_near_to_none_in_particular() -> None:
    others = np.stack([head("far", i) for i in range(6)])
    found = neighbours(described(others), described(HEADS), GROUPS)
    assert bool((found.r < TWIN).all())
    assert bool((found.next_r <= found.r).all())


def test_the_next_neighbours_are_of_other_groups() -> None:
    twice = np.concatenate([HEADS, HEADS])
    found = neighbours(described(HEADS[:3]), described(twice), GROUPS + GROUPS)
    assert bool((found.next_r < TWIN).all())
