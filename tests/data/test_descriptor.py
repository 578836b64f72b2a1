"""A picture's descriptor follows its flips and turns, and gives no picture away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from brainlens.data import symmetry
from brainlens.data.compact import from_compact, to_compact
from brainlens.data.descriptor import (
    CODE,
    FRAME,
    HORIZONTAL,
    VERTICAL,
    Array,
    describe,
    even_tones,
    frame_of,
    halved,
)


def head(seed: int, size: int = FRAME) -> Array:
    """A lopsided textured ellipse, (size, size) uint8: no two seeds alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    rough = Image.fromarray(rng.normal(0, 1, (9, 9)).astype(np.float32))
    texture = np.asarray(rough.resize((size, size), Image.Resampling.BICUBIC))
    wide, high, left, up = *rng.uniform(0.55, 0.8, 2), *rng.uniform(-0.1, 0.1, 2)
    inside = ((x - left) / wide) ** 2 + ((y - up) / high) ** 2 < 1
    return np.asarray(np.clip(inside * (110 + 40 * texture), 0, 255), np.uint8)


@given(seed=st.integers(0, 10_000), turned=st.integers(0, symmetry.COUNT - 1))
@settings(deadline=None, max_examples=30)
def test_turning_a_code_is_describing_the_turned_picture(seed: int, turned: int) -> None:
    picture = head(seed)
    one, other = describe([picture]), describe([symmetry.turn(picture, turned)])
    code = symmetry.turn_codes(one.codes, turned, VERTICAL, HORIZONTAL)
    assert np.allclose(code, other.codes, atol=0.02)
    assert np.allclose(symmetry.turn_windows(one.windows, turned), other.windows, atol=0.01)


def test_symmetries_are_what_their_names_say() -> None:
    picture = head(1)
    expected = {
        "same": picture,
        "flipped left-right": np.fliplr(picture),
        "flipped top-bottom": np.flipud(picture),
        "turned by 180": np.rot90(picture, 2),
        "transposed": picture.T,
        "turned by 90 clockwise": np.rot90(picture, -1),
        "turned by 90 counterclockwise": np.rot90(picture),
        "transposed and turned by 180": np.rot90(picture.T, 2),
    }
    for number, name in enumerate(symmetry.NAMES):
        assert np.array_equal(symmetry.turn(picture, number), expected[name]), name


@given(
    scale=st.tuples(*[st.floats(0.5, 2)] * 2), shift=st.tuples(*[st.floats(-0.5, 0.5)] * 2),
    turned=st.integers(0, symmetry.COUNT - 1),
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_a_map_between_turned_pictures_leads_to_the_turned_place(
    scale: tuple[float, float], shift: tuple[float, float], turned: int
) -> None:
    line = np.array([[scale[0], shift[0], scale[1], shift[1]]])
    # A window is two corners: turned as a picture is, and led by a map, in either order.
    window = np.array([[0.2, 0.7, 0.1, 0.9]])

    def led(windows: Array, maps: Array) -> Array:
        return np.asarray(windows * np.repeat(maps[:, ::2], 2) + np.repeat(maps[:, 1::2], 2))

    expected = symmetry.turn_windows(led(window, line), turned)
    of_turned = led(symmetry.turn_windows(window, turned), symmetry.turn_maps(line, turned))
    assert np.allclose(of_turned, expected)
    assert np.allclose(led(led(window, line), symmetry.inverse_maps(line)), window)


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (128, 128), (511, 640), (225, 225)])
def test_a_picture_of_any_size_has_a_frame(shape: tuple[int, int]) -> None:
    assert frame_of(np.full(shape, 90, np.uint8)).shape == (FRAME, FRAME)
    assert (frame_of(np.full(shape, 90, np.uint8)) == 90).all()


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_a_blank_picture_has_an_empty_code(grey: int) -> None:
    blank = describe([np.full((FRAME, FRAME), grey, np.uint8)])
    assert np.abs(blank.codes).max() == 0
    assert np.isfinite(blank.windows).all()


@pytest.mark.parametrize("gamma", [0.7, 1.4])
def test_evened_tones_hide_gamma(gamma: float) -> None:
    picture = halved(head(3)[None])
    other = np.rint(255 * (picture / 255.0) ** gamma).astype(np.uint8)
    one, two = even_tones(picture)[0], even_tones(other)[0]
    assert np.abs(picture / 255.0 - other / 255.0).max() > 0.05
    assert np.abs(one - two).max() < 0.05


def test_descriptors_do_not_depend_on_their_neighbours() -> None:
    pictures = [head(seed) for seed in range(5)]
    together = describe(pictures)
    for i, picture in enumerate(pictures):
        alone = describe([picture])
        assert np.allclose(alone.codes[0], together.codes[i], atol=1e-6)


def test_no_pictures_have_no_descriptors() -> None:
    assert len(describe([])) == 0


def test_the_compact_form_is_small_and_holds_no_picture() -> None:
    whole = describe([head(seed) for seed in range(4)])
    arrays = to_compact(whole)
    assert sum(array[0].nbytes for array in arrays.values()) == 3 * CODE + 4 + 20
    compact = from_compact(**arrays)
    assert compact.compact
    assert np.allclose(compact.codes, whole.codes, atol=0.01)
    assert all(np.array_equal(to_compact(compact)[k], arrays[k]) for k in arrays)
