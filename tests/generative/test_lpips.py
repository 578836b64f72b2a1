"""LPIPS against the authors' own package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from brainlens.generative.lpips import Lpips, trunk


def test_equal_pictures_do_not_differ_and_blur_differs_less_than_noise(shared: Path) -> None:
    measure = Lpips()
    generator = np.random.default_rng(0)
    a = np.repeat(np.repeat(generator.integers(0, 256, (16, 16, 3)), 4, 0), 4, 1).astype(np.uint8)
    noisy = np.clip(a + generator.normal(0, 60, a.shape), 0, 255).astype(np.uint8)
    faint = np.clip(a + generator.normal(0, 6, a.shape), 0, 255).astype(np.uint8)
    assert measure(a, a) == pytest.approx(0, abs=1e-6)
    assert 0 < measure(a, faint) < measure(a, noisy)


@pytest.mark.filterwarnings("ignore")
def test_the_authors_package_agrees(shared: Path) -> None:
    lpips = pytest.importorskip("lpips")
    theirs = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    own = trunk()
    layers = [m for s in range(1, 6) for m in getattr(theirs.net, f"slice{s}")]
    for ours, their in zip(own, layers, strict=False):
        if isinstance(ours, torch.nn.Conv2d):
            their.load_state_dict(ours.state_dict())
    generator = np.random.default_rng(0)
    a, b = (generator.integers(0, 256, (64, 48, 3), dtype=np.uint8) for _ in range(2))
    x, y = (torch.from_numpy(p.transpose(2, 0, 1))[None].float() / 127.5 - 1 for p in (a, b))
    with torch.no_grad():
        expected = float(theirs.eval()(x, y))
    assert Lpips()(a, b) == pytest.approx(expected, abs=1e-5)
