"""A picture of any size becomes the network's input, by rules that can be checked by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainlens.core.errors import RunError
from brainlens.data.preprocess import Array, Fit, Preprocessing, content_crop, from_dict, quantile

PLAIN = Preprocessing(8)


def flat(height: int, width: int, value: int = 200) -> Array:
    """A picture of one grey."""
    return np.full((height, width), value, np.uint8)


def head(height: int = 100, width: int = 100) -> Array:
    """A bright block of 40 x 60 on darkness with a little noise: rows 20..59, columns 30..89."""
    grey = np.random.default_rng(0).integers(0, 4, (height, width)).astype(np.uint8)
    grey[20:60, 30:90] = 180
    return grey


@given(
    st.integers(1, 70), st.integers(1, 70), st.integers(1, 40), st.sampled_from(["stretch", "pad"]),
    st.booleans(),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_any_size_becomes_the_square(
    height: int, width: int, size: int, fit: Fit, crop: bool
) -> None:
    grey = np.random.default_rng(height * 71 + width).integers(0, 256, (height, width))
    picture = Preprocessing(size, fit, crop).picture(grey.astype(np.uint8))
    assert (picture.shape, picture.dtype) == ((size, size), np.uint8)
    assert picture.min() >= (grey.min() if fit == "stretch" and not crop else 0)
    assert picture.max() <= grey.max()


def test_a_picture_of_the_right_size_stays_as_it_is() -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for fit in ("stretch", "pad"):
        assert np.array_equal(Preprocessing(8, fit).picture(grey), grey)


def test_stretching_distorts_to_the_square() -> None:
    grey = np.concatenate([flat(4, 16, 40), flat(4, 16, 240)])  # 8 x 16, bright below
    picture = PLAIN.picture(grey)
    assert np.array_equal(picture[:3], flat(3, 8, 40))
    assert np.array_equal(picture[5:], flat(3, 8, 240))


def test_stretching_averages_the_pixels_it_joins() -> None:
    # Halving weighs 4 pixels 1 3 3 1, divided by their sum: 8 inside, 7 at the rim.
    line = np.array([0, 80, 0, 0, 0, 0, 0, 0], np.uint8)
    picture = Preprocessing(4).picture(np.tile(line, (8, 1)))
    assert picture[0].tolist() == [round(80 * 3 / 7), 10, 0, 0]


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [
        (16, 8, (0, 8), (2, 6)),  # 8 x 4, 2 black columns on either side
        (8, 16, (2, 6), (0, 8)),
        (3, 8, (2, 5), (0, 8)),  # 5 black rows: 2 above, 3 below
        (32, 24, (0, 8), (1, 7)),
        (100, 1, (0, 8), (3, 4)),  # never thinner than a pixel
    ],
)
def test_padding_keeps_the_shape_in_the_middle_of_black(
    height: int, width: int, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    expected = np.zeros((8, 8), np.uint8)
    expected[slice(*rows), slice(*columns)] = 200
    assert np.array_equal(Preprocessing(8, "pad").picture(flat(height, width)), expected)


def test_cropping_keeps_the_head_and_a_narrow_margin() -> None:
    # The longer side runs from column 30 to 89: a margin of 0.02 x 59, rounded to 1.
    assert np.array_equal(content_crop(head()), head()[19:61, 29:91])


def test_cropping_stops_at_the_rim() -> None:
    grey = head()
    grey[:, 80:] = 180  # now rows 0 to 99: a margin of 0.02 x 99, rounded to 2
    assert np.array_equal(content_crop(grey), grey[:, 28:])


@pytest.mark.parametrize(
    "grey",
    [flat(50, 40), flat(50, 40, 0), flat(50, 40, 5), flat(1, 1), flat(3, 200)],
    ids=["bright", "black", "dark", "dot", "line"],
)
def test_a_flat_picture_is_not_cropped(grey: Array) -> None:
    assert np.array_equal(content_crop(grey), grey)


def test_a_few_bright_pixels_are_no_head() -> None:
    grey = flat(100, 100, 0)
    grey[50, 50] = 255
    grey[10:14, 10:14] = 255
    assert np.array_equal(content_crop(grey), grey)


def test_cropping_comes_before_the_square() -> None:
    cropped = Preprocessing(8, crop=True).picture(head())
    assert np.array_equal(cropped, PLAIN.picture(head()[19:61, 29:91]))
    assert not np.array_equal(cropped, PLAIN.picture(head()))


def test_numbers_are_scaled_by_the_mean_and_deviation_of_each_channel() -> None:
    pictures = np.array([[[0, 255], [51, 102]]], np.uint8)
    got = Preprocessing(2, mean=(0.0, 0.5, 0.2), std=(1.0, 0.5, 0.1)).tensor(pictures)
    expected = np.array(
        [[[0, 1], [0.2, 0.4]], [[-1, 1], [-0.6, -0.2]], [[-2, 8], [0, 2]]]
    )  # (3, 2, 2)
    assert (got.shape, got.dtype) == ((1, 3, 2, 2), np.float32)
    assert np.allclose(got[0], expected, atol=1e-5)


def test_the_default_numbers_are_those_of_imagenet() -> None:
    got = Preprocessing(1).tensor(np.array([[[128]]], np.uint8)).ravel()
    by_hand = [
        (128 / 255 - 0.485) / 0.229,
        (128 / 255 - 0.456) / 0.224,
        (128 / 255 - 0.406) / 0.225,
    ]
    assert np.allclose(got, by_hand, atol=1e-5)


def test_a_picture_alone_and_in_a_batch_becomes_the_same() -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (5, 8, 8)).astype(np.uint8)
    together = PLAIN.tensor(pictures)
    assert np.array_equal(np.concatenate([PLAIN.tensor(p[None]) for p in pictures]), together)


UNIT = st.floats(0.01, 1)
ANY = st.builds(
    Preprocessing, st.integers(1, 999), st.sampled_from(["stretch", "pad"]), st.booleans(),
    st.tuples(UNIT, UNIT, UNIT), st.tuples(UNIT, UNIT, UNIT),
)  # fmt: skip


@given(ANY)
@settings(deadline=None, max_examples=30)
def test_it_comes_back_from_plain_values_and_from_json(preprocessing: Preprocessing) -> None:
    assert from_dict(preprocessing.to_dict()) == preprocessing
    assert from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing


@pytest.mark.parametrize("name", list(PLAIN.to_dict()))
def test_a_missing_value_is_an_error_not_a_default(name: str) -> None:
    values = {key: value for key, value in PLAIN.to_dict().items() if key != name}
    with pytest.raises(RunError, match=rf"stored preprocessing is not understood \(.*{name}"):
        from_dict(values)


@pytest.mark.parametrize(
    "change",
    [
        {"window": 3},
        {"size": "224"},
        {"size": None},
        {"size": 0},
        {"fit": "squash"},  # would be padded without a word
        {"crop": "no"},  # would be true
        {"mean": 0.5},
        {"mean": "abc"},
        {"std": [1.0, "x", 1.0]},
        {"std": [1.0, 0.0, 1.0]},  # would divide by nothing
        {"mean": [], "std": []},
        {"mean": [0.5]},  # not as many as deviations
    ],
)
def test_broken_values_are_an_error_of_one_line(change: dict[str, Any]) -> None:
    with pytest.raises(RunError, match=r"\Athe stored preprocessing is not understood \(.+\)\Z"):
        from_dict({**PLAIN.to_dict(), **change})


def test_the_quantile_of_a_picture_is_numpys() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        shape = rng.integers(1, 60, 2)
        grey = (rng.random(shape) ** 3 * rng.integers(1, 256)).astype(np.uint8)
        assert quantile(grey, 0.99) == np.quantile(grey, 0.99)
