"""What augmentation does to a picture depends on that picture's seed alone, and stays a picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from brainlens.classify.augment import POLICIES, Strength, augment, sample_seeds

CHANGING = [name for name, strength in POLICIES.items() if strength]
EVERYTHING = Strength(
    flip=0.5, flip_vertical=0.5, rotate=30, quarter_turns=True, scale=0.2, shift=0.1, gamma=0.4,
    curve=0.3, contrast=0.3, brightness=0.1, bias=0.3, noise=0.05, blur=0.5, invert=0.5, erase=0.5,
)  # fmt: skip


def pictures(n: int, height: int = 24, width: int = 24, seed: int = 0) -> Tensor:
    """(N, 1, H, W) smooth pictures in 0..1 without any symmetry."""
    coarse = np.random.default_rng(seed).random((n, 1, 5, 5), np.float32)
    tensor = torch.from_numpy(coarse)
    return torch.nn.functional.interpolate(
        tensor, (height, width), mode="bilinear", align_corners=True
    )


def symmetries(picture: Tensor) -> list[Tensor]:
    """The 8 symmetries of a square (1, S, S) picture: turns, and turns of its mirror image."""
    return [
        torch.rot90(side, turns, (1, 2))
        for side in (picture, picture.flip(2))
        for turns in range(4)
    ]


def test_no_augmentation_leaves_the_pictures_as_they_are() -> None:
    batch = pictures(3)
    assert torch.equal(augment(batch, [1, 2, 3], POLICIES["none"]), batch)


def test_zero_strength_is_the_identity_but_for_interpolation() -> None:
    batch = pictures(4, 31, 31)
    assert torch.allclose(augment(batch, [1, 2, 3, 4], Strength()), batch, atol=2e-4)


@pytest.mark.parametrize("strength", [*[POLICIES[n] for n in CHANGING], EVERYTHING])
def test_a_picture_does_not_see_the_batch_it_is_in(strength: Strength) -> None:
    batch, seeds = pictures(9, 27, 27), list(range(50, 59))
    together = augment(batch, seeds, strength)
    for i in (0, 3, 8):
        alone = augment(batch[i : i + 1], seeds[i : i + 1], strength)
        assert torch.allclose(alone[0], together[i], atol=1e-6)
    backwards = augment(batch.flip(0), seeds[::-1], strength).flip(0)
    assert torch.allclose(backwards, together, atol=1e-6)


@pytest.mark.parametrize("strength", [*[POLICIES[n] for n in CHANGING], EVERYTHING])
def test_equal_seeds_give_equal_pictures_and_other_seeds_others(strength: Strength) -> None:
    batch = pictures(1).expand(40, -1, -1, -1).clone()
    once = augment(batch, list(range(40)), strength)
    assert torch.equal(once, augment(batch, list(range(40)), strength))
    assert len({picture.numpy().tobytes() for picture in once}) >= 8


def test_the_input_is_not_changed_in_place() -> None:
    batch = pictures(6)
    before = batch.clone()
    augment(batch, list(range(6)), EVERYTHING)
    assert torch.equal(batch, before)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize(("height", "width"), [(17, 17), (33, 20), (1, 1)])
def test_every_policy_keeps_shape_and_range_at_odd_sizes(
    name: str, height: int, width: int
) -> None:
    batch = pictures(16, height, width)
    changed = augment(batch, list(range(16)), POLICIES[name])
    assert changed.shape == batch.shape
    assert changed.dtype == torch.float32
    assert bool(changed.isfinite().all())
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_strongest_changes_stay_in_range_on_black_and_on_white(value: float) -> None:
    batch = torch.full((32, 1, 16, 16), value)
    changed = augment(batch, list(range(32)), EVERYTHING)
    assert bool(changed.isfinite().all())
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1


@pytest.mark.parametrize("size", [16, 21])
def test_flips_gives_one_of_the_eight_symmetries_of_the_picture(size: int) -> None:
    one = pictures(1, size, size)
    changed = augment(one.expand(64, -1, -1, -1).clone(), list(range(64)), POLICIES["flips"])
    targets = torch.stack(symmetries(one[0]))  # (8, 1, S, S)
    away = (changed[:, None] - targets[None]).abs().amax((2, 3, 4))  # (64, 8)
    assert float(away.min(1).values.max()) < 1e-3
    # 64 draws miss one of 8 equally likely symmetries with a chance of 0.2 %.
    assert len(set(away.argmin(1).tolist())) == 8


def test_a_shift_moves_the_picture_and_fills_with_black() -> None:
    white = torch.ones(20, 1, 40, 40)
    changed = augment(white, list(range(20)), Strength(shift=0.25))
    moved = (changed < 0.01).float().mean((1, 2, 3))
    # At most a quarter of the side either way, in both directions: 1 - 0.75^2 of the picture.
    assert float(moved.max()) <= 1 - 0.75**2 + 0.02
    assert float(moved.max()) > 0.15


@pytest.mark.parametrize("seed", range(6))
def test_a_curve_moves_levels_along_lines_between_its_knots_and_leaves_black(seed: int) -> None:
    levels = torch.linspace(0, 1, 33)
    batch = levels.repeat(33, 1)[None, None]
    moves = (np.random.default_rng(seed).random(28)[24:28] * 2 - 1) * 0.3
    curve = np.interp(levels, [0, 0.25, 0.5, 0.75, 1], [0, *moves]) + levels.numpy()
    got = augment(batch, [seed], Strength(curve=0.3))[0, 0, 16].numpy()
    assert got == pytest.approx(np.clip(curve, 0, 1), abs=1e-3)
    assert got[0] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("kept", [False, True])
def test_what_goes_beyond_white_is_cut_off_or_scaled_back(kept: bool) -> None:
    batch = 0.7 + 0.2 * pictures(40)
    strength = Strength(contrast=0.3, brightness=0.1, bias=0.3, keep_white=kept)
    seen = augment(batch, list(range(40)), strength)
    white = (seen > 0.999).float().mean((1, 2, 3))
    assert bool((white > 0.3).any()) != kept


def test_a_negative_is_one_minus_the_picture() -> None:
    batch = pictures(5)
    negative = augment(batch, list(range(5)), Strength(invert=1.0))
    assert torch.allclose(negative, 1 - batch, atol=2e-4)


def test_a_grey_rectangle_covers_at_most_a_sixteenth() -> None:
    batch = torch.ones(20, 1, 40, 40)
    changed = augment(batch, list(range(20)), Strength(erase=1.0))
    covered = (changed < 0.99).float().mean((1, 2, 3))
    assert bool((covered > 0).all())
    assert float(covered.max()) <= 0.25**2


def test_seeds_of_samples_differ_between_samples_epochs_runs_and_turns() -> None:
    seeds = [
        *sample_seeds(0, 0, [0, 1, 2]),
        *sample_seeds(0, 1, [0, 1, 2]),
        *sample_seeds(1, 0, [0, 1, 2]),
        *sample_seeds(0, 0, [0, 1, 2], range(7, 10)),
        *sample_seeds(0, 0, [2, 2, 2], range(20, 23)),
    ]
    assert len(set(seeds)) == len(seeds)


def test_the_seed_of_a_sample_does_not_depend_on_its_place_in_the_batch() -> None:
    assert sample_seeds(5, 2, [4, 9, 1]) == sample_seeds(5, 2, [1, 9, 4])[::-1]
    assert sample_seeds(5, 2, [9]) == sample_seeds(5, 2, [4, 9, 1])[1:2]
