"""Enlarging and shrinking: MATLAB's imresize, by hand and by published figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainlens.core.interpolation import KERNELS, resize, shrink, weights


def test_bilinear_doubling_by_hand() -> None:
    line = np.array([[0.0, 4.0]])
    # Samples lie at -0.25, 0.25, 0.75, 1.25 of the old grid; beyond the ends the ends repeat.
    assert resize(line, 1, 4, "bilinear").tolist() == [[0.0, 1.0, 3.0, 4.0]]


def test_nearest_repeats_every_pixel() -> None:
    picture = np.arange(6.0).reshape(2, 3)
    expected = np.repeat(np.repeat(picture, 4, 0), 4, 1)
    np.testing.assert_array_equal(resize(picture, 8, 12, "nearest"), expected)


def test_bicubic_weights_of_doubling_by_hand() -> None:
    # At 1.75 of the old grid, Keys' a = -0.5: distances 1.75, 0.75, 0.25, 1.25.
    row = weights(8, 16, "bicubic")[4]
    np.testing.assert_allclose(row[:4], [-0.0234375, 0.2265625, 0.8671875, -0.0703125], atol=1e-7)


def test_bicubic_halving_is_antialiased() -> None:
    # imresize([0 0 0 0 8 8 8 8], 0.5) is widened to 8 taps; a step must stay between its sides
    # but for the cubic's overshoot, and be symmetric.
    line = np.array([[0.0] * 8 + [8.0] * 8])
    half = resize(line, 1, 8)[0]
    np.testing.assert_allclose(half + half[::-1], 8.0, atol=1e-5)
    assert half[3] > 0.1  # without antialiasing it would be 0 or less


@given(st.sampled_from(list(KERNELS)), st.integers(4, 40), st.integers(4, 40))
def test_every_output_sample_is_a_mean_of_inputs(kernel: str, length: int, out: int) -> None:
    np.testing.assert_allclose(weights(length, out, kernel).sum(1), 1, atol=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pillow_shrinks_the_inside_alike(scale: int) -> None:
    from PIL import Image

    picture = np.random.default_rng(0).uniform(0, 255, (48, 48)).astype(np.float32)
    theirs = Image.fromarray(picture).resize((48 // scale, 48 // scale), Image.Resampling.BICUBIC)
    # Away from the edges, where Pillow renormalises and MATLAB mirrors.
    inside = slice(3, -3)
    ours = shrink(picture, scale)
    np.testing.assert_allclose(ours[inside, inside], np.asarray(theirs)[inside, inside], atol=1e-3)
