"""Graded harm is graded, keeps its shape, and is what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import gaussian

from brainlens.core.images import read_grey
from brainlens.data.degrade import DEGRADATIONS, degraded
from brainlens.data.preprocess import Array, Preprocessing
from brainlens.data.sample import SAMPLE_DIR

SIDE = 96


@pytest.fixture(scope="module")
def pictures() -> Array:
    """Six drawn slices."""
    files = sorted((SAMPLE_DIR / "glioma").glob("*.*"))[:6]
    return np.stack([Preprocessing(SIDE).picture(read_grey(file)) for file in files])


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_each_severity_takes_the_picture_further_from_itself(pictures: Array, name: str) -> None:
    row = DEGRADATIONS[name]
    gaps = [
        np.abs(degraded(pictures, name, severity).astype(float) - pictures).mean()
        for severity in row.severities
    ]
    assert gaps == sorted(gaps)
    assert gaps[0] > 0.2
    assert len(row.severities) == 4


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_harm_depends_on_severity_and_place_alone_and_leaves_its_input(
    pictures: Array, name: str
) -> None:
    kept = pictures.copy()
    severity = DEGRADATIONS[name].severities[1]
    whole = degraded(pictures, name, severity)
    assert whole.dtype == np.uint8
    assert whole.shape == pictures.shape
    assert (whole[:3] == degraded(pictures[:3], name, severity)).all()
    assert (pictures == kept).all()


def test_blur_is_skimage_s_gaussian(pictures: Array) -> None:
    expected = gaussian(  # type: ignore[no-untyped-call]
        pictures[0].astype(float), sigma=0.02 * SIDE, mode="reflect", truncate=4
    )
    ours = degraded(pictures[:1], "blur", 2)[0]
    # scipy's "reflect" is skimage's "symmetric": the border may differ, the inside may not.
    assert np.abs(ours - expected)[10:-10, 10:-10].max() <= 0.51


def test_noise_in_air_is_rayleigh() -> None:
    # Magnitude of pure noise of deviation s: mean s sqrt(pi / 2).
    air = np.zeros((8, SIDE, SIDE), np.uint8)
    s = 0.12 * 255
    assert degraded(air, "noise", 12).mean() == pytest.approx(s * np.sqrt(np.pi / 2), rel=0.02)


def test_contrast_keeps_the_mean_and_that_share_of_the_spread(pictures: Array) -> None:
    half = degraded(pictures, "contrast", 0.5).astype(float)
    assert half[0].mean() == pytest.approx(pictures[0].mean(), abs=0.6)
    assert half[0].std() == pytest.approx(0.5 * pictures[0].std(), rel=0.02)


def test_a_bias_field_is_its_depth_at_two_opposite_edges() -> None:
    flat = np.full((1, SIDE, SIDE), 50, np.uint8)
    found = degraded(flat, "bias field", 1)[0].astype(float)
    assert found.max() == pytest.approx(50 * np.e, rel=0.02)
    assert found.min() == pytest.approx(50 / np.e, rel=0.05)


def test_low_resolution_leaves_no_pattern_finer_than_its_pixels() -> None:
    stripes = np.tile(np.array([[0, 200]], np.uint8), (SIDE, SIDE // 2))[None]
    assert degraded(stripes, "low resolution", 2).std() < 1


def test_ghosts_stand_half_a_picture_and_a_quarter_away() -> None:
    # Every fourth line of k-space weakened: copies a quarter of the side apart.
    point = np.zeros((1, SIDE, SIDE), np.uint8)
    point[0, 10, 30] = 200
    column = degraded(point, "ghosting", 0.8)[0, :, 30]
    lit = set(np.flatnonzero(column > 5))
    assert lit == {10, 10 + SIDE // 4, 10 + SIDE // 2, 10 + 3 * SIDE // 4}
