"""A tumour painted out is gone, the rest stays, and the paint is the scan's own tissue."""

from __future__ import annotations

import numpy as np

from brainlens.data.healing import decoys, healed


def heads(count: int) -> np.ndarray:
    """(N, 64, 64) soft round heads, each a little different."""
    y, x = np.mgrid[:64, :64] - 31.5
    draw = np.random.default_rng(0)
    shapes = [110 + 10 * draw.random() + 20 * np.cos(x / (6 + draw.random())) for _ in range(count)]
    return np.stack([np.where(x**2 + y**2 < 28**2, s, 0) for s in shapes]).astype(np.uint8)


def with_tumour(pictures: np.ndarray, sick: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """A bright spot in some of the pictures, left of the middle, and its masks."""
    y, x = np.mgrid[:64, :64]
    spot = (x - 20) ** 2 + (y - 30) ** 2 < 36
    shown, masks = pictures.copy(), np.zeros_like(pictures)
    shown[sick] = np.where(spot, 250, shown[sick])
    masks[sick] = spot * 255
    return shown, masks


def test_the_spot_is_gone_and_what_is_far_from_it_is_untouched() -> None:
    plain = heads(8)
    shown, masks = with_tumour(plain, [0, 3])
    made = healed(shown, masks, np.arange(8), seed=0)
    inside = masks[0] > 127
    for i in (0, 3):
        assert made[i][inside].max() < 160
        assert abs(float(made[i][inside].mean()) - float(plain[i][inside].mean())) < 15
        assert np.array_equal(made[i][:, 40:], shown[i][:, 40:])
    for i in (1, 2, 4, 5, 6, 7):
        assert np.array_equal(made[i], shown[i])


def test_only_donors_give_tissue() -> None:
    shown, masks = with_tumour(heads(6), [0])
    shown[1:] = 255  # no donor: were they used, the hole would be white
    made = healed(shown, masks, np.array([0]), seed=0)
    assert made[0][masks[0] > 127].max() < 160


def test_a_decoy_leaves_the_tumour_and_touches_another_place() -> None:
    plain = heads(6)
    shown, masks = with_tumour(plain, [0])
    y, x = np.mgrid[:64, :64]
    other = (x - 44) ** 2 + (y - 30) ** 2 < 36
    masks[1] = other * 255
    made = decoys(shown, masks, np.arange(6), seed=0)
    assert np.array_equal(made[0][masks[0] > 127], shown[0][masks[0] > 127])
    assert not np.array_equal(made[0], shown[0])
    changed = np.argwhere(made[0] != shown[0])
    assert changed[:, 1].min() > 30


def test_equal_seeds_paint_alike() -> None:
    shown, masks = with_tumour(heads(6), [0, 1])
    first, second = (healed(shown, masks, np.arange(6), seed=3) for _ in range(2))
    assert np.array_equal(first, second)
