"""A planted tumour lies where its mask says, the rest of the slice stays, air stays air."""

from __future__ import annotations

import numpy as np
import pytest

from brainlens.data.planting import Planted, plant
from tests.data.test_healing import heads, with_tumour


def draw(seed: int) -> np.random.Generator:
    """What decides."""
    return np.random.default_rng(seed)


def planted(seed: int) -> tuple[np.ndarray, Planted]:
    """A healthy head, and what becomes of it beside two that show a tumour."""
    shown, masks = with_tumour(heads(6), [1, 4])
    found = plant(shown[0], shown, masks, np.array([1, 4]), draw(seed))
    assert found is not None
    return shown[0], found


@pytest.mark.parametrize("seed", range(8))
def test_the_tumour_is_where_its_mask_says_and_nowhere_else(seed: int) -> None:
    host, found = planted(seed)
    inside = found.mask > 127
    gain = found.picture.astype(float) - host
    assert gain[inside].mean() > 40
    y, x = np.argwhere(inside).mean(0)
    rows, columns = np.mgrid[:64, :64]
    far = (rows - y) ** 2 + (columns - x) ** 2 > 16**2
    assert np.array_equal(found.picture[far], host[far])
    assert found.origin in (1, 4)


def test_some_tumours_are_mirrored_and_some_are_fainter() -> None:
    many = [planted(seed) for seed in range(40)]
    middles = {round(float(np.argwhere(found.mask > 127)[:, 1].mean())) for _, found in many}
    assert middles == {20, 43}
    gains = [(found.picture.astype(float) - host)[found.mask > 127].mean() for host, found in many]
    assert max(gains) > 1.3 * min(gains)


def test_no_tumour_is_planted_outside_the_head() -> None:
    shown, masks = with_tumour(heads(6), [1])
    nothing = np.zeros((64, 64), np.uint8)
    assert plant(nothing, shown, masks, np.array([1]), draw(0)) is None


def test_the_host_is_left_as_it_is_and_equal_draws_plant_alike() -> None:
    shown, masks = with_tumour(heads(6), [1, 4])
    before = shown.copy()
    _, first = planted(7)
    again = plant(shown[0], shown, masks, np.array([1, 4]), draw(7))
    assert again is not None
    assert np.array_equal(first.picture, again.picture)
    assert np.array_equal(shown, before)
