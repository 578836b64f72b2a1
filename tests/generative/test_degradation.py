"""k-space truncation: what a coarser scan of the same head shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from brainlens.core.interpolation import shrink
from brainlens.generative.degradation import bicubic, kspace


def test_a_slow_wave_keeps_its_values_at_the_middle_of_the_coarse_pixels() -> None:
    x = torch.arange(64) + 0.0
    wave = 2 + torch.cos(2 * torch.pi * 3 * x / 64)
    coarse = kspace(wave.expand(1, 1, 64, 64), 4)[0, 0, 5]
    middle = torch.arange(16) * 4 + 1.5  # of the four fine pixels that one coarse pixel covers
    torch.testing.assert_close(coarse, 2 + torch.cos(2 * torch.pi * 3 * middle / 64))


def test_what_is_faster_than_the_coarse_grid_is_gone() -> None:
    x = torch.arange(64) + 0.0
    fast = 2 + torch.cos(2 * torch.pi * 20 * x / 64)  # the coarse grid ends at 8
    coarse = kspace(fast.expand(1, 1, 64, 64), 4)
    torch.testing.assert_close(coarse, torch.full((1, 1, 16, 16), 2.0))


def test_an_edge_rings_and_the_window_damps_it() -> None:
    """Gibbs: one coarse pixel beside an edge the sine integral overshoots by 0.0895."""
    edge = torch.zeros(1, 1, 256, 256)
    edge[..., 66:194] = 1  # at the middle of a coarse pixel
    plain = float(kspace(edge, 4).max()) - 1
    damped = float(kspace(edge, 4, window=1.0).max()) - 1
    assert plain == pytest.approx(0.0895, abs=0.005)
    assert damped < plain / 3


def test_noise_is_rician() -> None:
    dark = torch.zeros(1, 1, 256, 256)
    generator = torch.Generator().manual_seed(0)
    real, imaginary = torch.randn(2, 1, 1, 64, 64, generator=generator)
    noisy = kspace(dark, 4, noise=torch.complex(real, imaginary) * 0.1)
    assert float(noisy.mean()) == pytest.approx(0.1 * (torch.pi / 2) ** 0.5, rel=0.03)  # Rayleigh


def test_bicubic_is_the_one_of_core() -> None:
    picture = np.random.default_rng(0).uniform(0, 1, (32, 48)).astype(np.float32)
    ours = bicubic(torch.from_numpy(picture)[None, None], 4)[0, 0].numpy()
    np.testing.assert_allclose(ours, shrink(picture, 4), atol=1e-5)
