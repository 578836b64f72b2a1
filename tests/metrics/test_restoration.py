"""PSNR and SSIM against hand arithmetic, scikit-image and the field's published figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainlens.core.images import open_image
from brainlens.core.interpolation import resize, shrink
from brainlens.metrics.restoration import luma, psnr_rgb, psnr_y, ssim_y


def test_luma_runs_from_16_to_235() -> None:
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8)
    np.testing.assert_allclose(luma(colours), [[16, 235, 16 + 65.481]])


def test_psnr_by_hand() -> None:
    a = np.zeros((32, 32), np.uint8)
    b = np.full((32, 32), 5, np.uint8)
    assert psnr_y(a, b) == pytest.approx(10 * np.log10(255**2 / 25))
    assert psnr_rgb(a, b) == pytest.approx(10 * np.log10(255**2 / 25))
    assert psnr_y(a, a) == float("inf")


def test_a_border_of_none_leaves_the_whole_picture() -> None:
    a = np.zeros((20, 20), np.uint8)
    b = a.copy()
    b[0, 0] = 20
    for psnr in (psnr_y, psnr_rgb):
        assert psnr(a, b, border=0) == pytest.approx(10 * np.log10(255**2))
        assert psnr(a, b) == float("inf")
    b[4, 4] = 1  # the first pixel that counts
    assert psnr_y(a, b) == psnr_rgb(a, b) == pytest.approx(10 * np.log10(255**2 * 12 * 12))


def test_one_window_of_ssim_must_fit() -> None:
    with pytest.raises(ValueError, match=r"a picture of \(18, 30\) is too small for a border of 4"):
        psnr_y(np.zeros((18, 30), np.uint8), np.zeros((18, 30), np.uint8))
    with pytest.raises(ValueError, match="too small for a border of 0"):
        ssim_y(np.zeros((10, 10)), np.zeros((10, 10)), border=0)
    assert ssim_y(np.ones((19, 19)), np.ones((19, 19))) == 1
    assert ssim_y(np.ones((11, 11)), np.ones((11, 11)), border=0) == 1


def test_the_border_has_no_say() -> None:
    a = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    b = a.copy()
    b[:4], b[-4:], b[:, :4], b[:, -4:] = 0, 0, 0, 0
    assert psnr_y(a, b) == float("inf")
    assert ssim_y(a, b) == pytest.approx(1)
    assert psnr_rgb(a, b) == float("inf")


@pytest.mark.parametrize("shape", [(64, 48), (64, 48, 3)])
def test_scikit_image_agrees(shape: tuple[int, ...]) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    generator = np.random.default_rng(1)
    a = generator.integers(0, 256, shape, dtype=np.uint8)
    b = np.clip(a + generator.normal(0, 20, shape), 0, 255).astype(np.uint8)
    x, y = (luma(one)[4:-4, 4:-4] for one in (a, b))
    theirs = metrics.structural_similarity(
        x, y, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim_y(a, b) == pytest.approx(theirs, abs=1e-6)
    assert psnr_y(a, b) == pytest.approx(metrics.peak_signal_noise_ratio(x, y, data_range=255))


# Bicubic at x4, the figures that two decades of papers repeat (Timofte 2014, Kim 2016).
@pytest.mark.parametrize(("name", "psnr", "ssim"), [("Set5", 28.42, 0.8104)])
def test_bicubic_scores_what_the_papers_say(
    shared: Path, name: str, psnr: float, ssim: float
) -> None:
    figures = []
    for file in sorted((shared / "data" / "sr" / name).glob("*.png")):
        picture = np.asarray(open_image(file))
        picture = picture[: picture.shape[0] // 4 * 4, : picture.shape[1] // 4 * 4]
        small = np.clip(np.rint(shrink(picture, 4)), 0, 255)
        big = np.clip(np.rint(resize(small, *picture.shape[:2])), 0, 255).astype(np.uint8)
        figures.append((psnr_y(picture, big), ssim_y(picture, big)))
    mean = np.mean(figures, 0)
    assert mean[0] == pytest.approx(psnr, abs=0.05)
    assert mean[1] == pytest.approx(ssim, abs=0.005)
