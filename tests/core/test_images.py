"""Every kind of image file becomes the grey picture it shows."""

from __future__ import annotations

import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from brainlens.core.images import open_image, read_grey, to_grey
from tests.core.picture_files import (
    COMBINATIONS,
    chunk,
    encoded,
    picture,
    tiff,
)

# Formats and modes


def test_a_jpeg_may_be_decoded_small_but_not_smaller_than_asked_for() -> None:
    data = encoded(picture("L", width=600, height=512), "JPEG")
    assert open_image(data, least=192).size == (300, 256)
    assert open_image(data, least=257).size == (600, 512)
    assert open_image(encoded(picture("L", width=600, height=512), "PNG"), least=9).width == 600


@pytest.mark.parametrize(("kind", "mode"), COMBINATIONS)
def test_every_format_and_mode_keeps_its_own_mode_and_becomes_grey(
    tmp_path: Path, kind: str, mode: str
) -> None:
    image = picture(mode)
    path = tmp_path / "scan.bin"
    path.write_bytes(encoded(image, kind))

    opened = open_image(path)
    assert (opened.mode, opened.size) == (mode, (23, 17))

    grey = read_grey(path)
    assert grey.shape == (17, 23)
    assert grey.dtype == np.uint8
    assert grey.flags.writeable
    tolerance = 2 if mode == "YCbCr" else 0
    np.testing.assert_allclose(grey.astype(int), to_grey(image).astype(int), atol=tolerance)
    assert grey.max() > grey.min()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_is_read_to_within_its_own_losses(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "scan.jpg"
    image = picture(mode, width=64, height=48)
    path.write_bytes(encoded(image, "JPEG", quality=95, subsampling=0))
    assert open_image(path).mode == mode
    assert np.abs(read_grey(path).astype(int) - to_grey(image).astype(int)).mean() < 4


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, 255),
        ("L", 77, 77),
        ("LA", (200, 0), 0),
        ("LA", (200, 255), 200),
        ("RGB", (255, 0, 0), 76),  # 0.299 * 255 = 76.2
        ("RGB", (0, 255, 0), 150),  # 0.587 * 255 = 149.7
        ("RGBA", (255, 255, 255, 51), 51),
        ("RGBX", (90, 90, 90, 0), 90),
        ("CMYK", (0, 0, 0, 0), 255),
        ("CMYK", (0, 0, 0, 255), 0),
        ("YCbCr", (120, 128, 128), 120),
        ("HSV", (0, 0, 140), 140),
        ("LAB", (255, 128, 128), 255),
        ("LAB", (0, 128, 128), 0),
    ],
)
def test_grey_is_the_luma_with_alpha_over_black(
    mode: str, colour: int | tuple[int, ...], expected: int
) -> None:
    assert to_grey(Image.new(mode, (4, 3), colour)).tolist() == [[expected] * 4] * 3


@pytest.mark.parametrize(
    ("kind", "transparency"), [("PNG", 0), ("PNG", bytes([0, 255])), ("GIF", 0)]
)
def test_transparent_palette_entries_become_black(kind: str, transparency: int | bytes) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 255, 255, 10, 10, 10])
    image.putpixel((1, 0), 1)
    opened = open_image(encoded(image, kind, transparency=transparency))
    assert opened.mode == "P"
    assert to_grey(opened).tolist() == [[0, 10]]


def test_the_transparent_value_of_a_grey_or_colour_png_becomes_black() -> None:
    grey = Image.fromarray(np.array([[200, 10]], np.uint8))
    assert to_grey(open_image(encoded(grey, "PNG", transparency=200))).tolist() == [[0, 10]]
    colour = grey.convert("RGB")
    data = encoded(colour, "PNG", transparency=(200, 200, 200))
    assert to_grey(open_image(data)).tolist() == [[0, 10]]


# Deeper than 8 bits


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B", "I;16N"])
def test_sixteen_bits_are_windowed_between_the_percentiles(mode: str) -> None:
    # 201 values 0, 100 .. 20000: the 0.5th percentile is rank 1 of 200, so 100; the 99.5th 19900.
    stored = ">u2" if mode == "I;16B" else "<u2"
    values = np.arange(0, 20_001, 100, dtype=np.uint16).astype(stored)
    image = Image.frombytes(mode, (201, 1), values.tobytes())
    grey = to_grey(image)[0]
    assert (grey[0], grey[1], grey[199], grey[200]) == (0, 0, 255, 255)
    assert grey[100] == 128  # (10000 - 100) / 19800 * 255 = 127.5
    assert grey[50] == 63  # (5000 - 100) / 19800 * 255 = 63.1


def test_a_float_tiff_with_nan_and_infinity_is_windowed_over_the_rest() -> None:
    values = np.arange(201, dtype=np.float32).reshape(3, 67)
    values[0, 0], values[1, 33], values[2, 66] = -np.inf, np.nan, np.inf
    image = open_image(tiff(values))
    assert image.mode == "F"
    grey = to_grey(image)
    assert (grey[0, 0], grey[1, 33], grey[2, 66]) == (0, 0, 255)
    # 198 finite values 1 .. 199 less 100: ranks 0.985 and 196.015, so 1.985 and 198.015.
    assert grey[0, 50] == round((50 - 1.985) / 196.03 * 255)


@pytest.mark.parametrize("value", [0.0, -3.5, 3e38, np.nan, np.inf])
def test_a_constant_deep_image_becomes_black(value: float) -> None:
    assert not to_grey(open_image(tiff(np.full((5, 7), value, np.float32)))).any()


def test_the_whole_range_of_floats_is_windowed_without_overflow() -> None:
    values = np.array([[-3.4e38, 0, 3.4e38]], np.float32)
    assert to_grey(open_image(tiff(values))).tolist() == [[0, 128, 255]]
    tiny = np.array([[0, 1.4e-45]], np.float32)
    assert to_grey(open_image(tiff(tiny))).tolist() == [[0, 255]]


def test_a_small_lesion_on_a_constant_deep_image_is_not_lost() -> None:
    values = np.zeros((50, 50), np.uint16)
    values[10, 10] = 9000
    grey = to_grey(Image.fromarray(values))
    assert (grey[10, 10], grey.sum()) == (255, 255)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_tiff_that_stores_white_as_zero_is_not_read_as_a_negative(kind: type) -> None:
    values: NDArray[np.generic] = np.array([[0, 128, 255]], kind)
    grey = to_grey(open_image(tiff(values, photometric=0)))[0]
    assert grey.tolist() == [255, 127, 0]


# What a file holds besides pixels


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :16] = 250  # the bright quarter is at the top left
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored)).convert("RGB")
    opened = open_image(encoded(image, kind, exif=exif))
    assert (opened.mode, opened.size) == ("RGB", (32, 16))
    assert np.abs(to_grey(opened).astype(int) - upright).max() < 12
    assert opened.getexif().get(0x0112, 1) == 1


def test_broken_exif_does_not_cost_the_pixels() -> None:
    data = encoded(picture("L"), "PNG")
    broken = data[:33] + chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff" + b"\x01" * 30) + data[33:]
    assert np.array_equal(to_grey(open_image(broken)), np.asarray(picture("L")))


def test_the_content_decides_and_not_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "scan.jpg"
    path.write_bytes(encoded(picture("L"), "PNG"))
    assert open_image(path).format == "PNG"
    assert np.array_equal(read_grey(path), np.asarray(picture("L")))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_many_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (8, 6), (v, v, v)) for v in (40, 120, 220)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert getattr(Image.open(io.BytesIO(data)), "n_frames", 1) == 3
    assert to_grey(open_image(data)).tolist() == [[40] * 8] * 6


def test_the_first_picture_of_a_two_picture_jpeg_is_taken() -> None:
    frames = [Image.new("L", (8, 8), value) for value in (40, 220)]
    data = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert to_grey(open_image(data)).tolist() == [[40] * 8] * 8


def test_the_image_outlives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "scan.bmp"
    path.write_bytes(encoded(picture("L"), "BMP"))
    image = open_image(path)
    path.write_bytes(b"")
    path.unlink()
    assert np.array_equal(to_grey(image), np.asarray(picture("L")))


# Settings of the process


def test_warnings_of_pillow_never_come_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)  # 23 x 17 = 391: warned of, not refused
    data = encoded(picture("L"), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_image(data).size == (23, 17)
        with pytest.warns(UserWarning, match="ours"):
            warnings.warn("ours", UserWarning, stacklevel=1)
    assert Image.MAX_IMAGE_PIXELS == 300
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_many_threads_read_the_same_arrays_as_one(tmp_path: Path) -> None:
    paths = []
    for number, (kind, mode) in enumerate(COMBINATIONS):
        paths.append(tmp_path / f"{number}.img")
        paths[-1].write_bytes(encoded(picture(mode), kind))
    alone = [read_grey(path) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(read_grey, paths * 5))
    assert all(np.array_equal(a, b) for a, b in zip(alone * 5, together, strict=True))
