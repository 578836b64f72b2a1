"""Any file ends in an array or in one ImageError of one line; nothing else comes out."""

from __future__ import annotations

import io
import os
import struct
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile

from brainlens.core.errors import ImageError
from brainlens.core.images import PIXEL_LIMIT, SUFFIXES, find_images, open_image, read_grey, to_grey

# What Pillow writes losslessly and reads back in the same mode.
LOSSLESS = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I;16B", "I", "F"),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("P",),
    "WEBP": ("RGB", "RGBA"),
    "PPM": ("1", "L", "RGB"),
    "JPEG2000": ("L", "RGB", "RGBA"),
}
COMBINATIONS = [(kind, mode) for kind, modes in LOSSLESS.items() for mode in modes]


def picture(mode: str, *, width: int = 23, height: int = 17) -> Image.Image:
    """A gradient with a bright square off centre, so that no turn of it equals another."""
    y, x = np.mgrid[0:height, 0:width]
    grey = (x * 5 + y * 3).astype(np.uint8)
    grey[2:6, 3:9] = 250
    if mode.startswith("I;16"):
        deep = Image.fromarray(grey.astype(np.uint16) * 100)
        return deep if mode == "I;16" else Image.frombytes(mode, deep.size, big_endian(deep))
    if mode in {"I", "F"}:
        return Image.fromarray(grey.astype(np.int32 if mode == "I" else np.float32))
    if mode == "P":
        return Image.fromarray(grey).convert("RGB").quantize(32)
    colour = Image.fromarray(np.stack([grey, grey // 2, 255 - grey], axis=-1))
    if mode == "LAB":
        return Image.merge("LAB", [band.copy() for band in colour.split()])
    image = colour.convert(mode)
    if mode in {"LA", "RGBA"}:
        image.putalpha(Image.fromarray(255 - grey))
    return image


def big_endian(image: Image.Image) -> bytes:
    return np.asarray(image).astype(">u2").tobytes()


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    if kind == "WEBP":
        options = {"lossless": True, "exact": True, **options}
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(values: NDArray[np.generic], *, photometric: int = 1) -> bytes:
    """An uncompressed little-endian TIFF written by hand, for what Pillow does not write."""
    kind = 3 if values.dtype.kind == "f" else 1
    height, width = values.shape
    data = values.tobytes()
    tags = {
        256: width,
        257: height,
        258: values.itemsize * 8,
        259: 1,
        262: photometric,
        273: 8,
        277: 1,
        278: height,
        279: len(data),
        339: kind,
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = b"II*\0" + struct.pack("<I", 8 + len(data))
    return start + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def refusal(source: Path | bytes) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(ImageError) as caught:
        to_grey(open_image(source, name="" if isinstance(source, Path) else "scan.png"))
    message = str(caught.value)
    assert "\n" not in message
    assert "expected" in message
    return message


# Formats and modes


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


# Files that are no images


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("part", [0.01, 0.1, 0.3, 0.5, 0.8])
def test_a_truncated_file_is_refused(tmp_path: Path, kind: str, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    data = encoded(Image.fromarray(noise).convert("RGB"), kind)
    path = tmp_path / "cut.img"
    path.write_bytes(data[: int(len(data) * part)])
    assert refusal(path).startswith(f"{path}: got ")


@pytest.mark.parametrize(
    "data",
    [b"\0", b"hello\nworld\n", b"P1 is no picture", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\xff" * 5000],
)
def test_other_content_is_refused_with_the_name_given(data: bytes) -> None:
    assert refusal(data).startswith("scan.png: got ")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    path.touch()
    assert refusal(path).startswith(f"{path}: got an empty file; expected ")
    assert refusal(b"").startswith("scan.png: got an empty file")


def test_a_folder_a_missing_file_and_a_pipe_are_refused(tmp_path: Path) -> None:
    assert "got a folder" in refusal(tmp_path)
    assert "No such file" in refusal(tmp_path / "missing.png")
    assert "Not a directory" in refusal(Path(__file__) / "scan.png")
    assert "too long" in refusal(tmp_path / ("x" * 300))
    assert "null" in refusal(Path("a\0b"))
    os.mkfifo(tmp_path / "pipe.png")
    assert "no regular file" in refusal(tmp_path / "pipe.png")


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "scan.png"
    path.write_bytes(encoded(picture("L"), "PNG"))
    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in refusal(path)


def test_running_out_of_memory_is_an_image_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(_: object) -> None:
        raise MemoryError

    data = encoded(picture("L"), "PNG")
    monkeypatch.setattr(ImageFile.ImageFile, "load", exhausted)
    assert "memory" in refusal(data)


@pytest.mark.parametrize("side", [10_001, 12_000, 50_000])
def test_a_header_that_claims_too_many_pixels_is_refused_before_decoding(side: int) -> None:
    started = time.perf_counter()
    message = refusal(png(side, side, chunk(b"IDAT", zlib.compress(bytes(1000)))))
    assert time.perf_counter() - started < 1
    assert "pixels" in message
    assert f"at most {PIXEL_LIMIT:,} pixels" in message


def test_the_pixel_limit_can_be_lowered() -> None:
    data = encoded(picture("L"), "PNG")
    assert open_image(data, pixel_limit=23 * 17).size == (23, 17)
    with pytest.raises(ImageError, match="23 x 17 pixels; expected at most 390 pixels"):
        open_image(data, pixel_limit=23 * 17 - 1)


def test_compressed_text_that_swells_is_refused() -> None:
    text = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(80_000_000), 1))
    assert "broken image" in refusal(png(1, 1, text, chunk(b"IDAT", zlib.compress(b"\0\0"))))


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


# Whatever comes


SEEDS = [encoded(picture(mode), kind) for kind, mode in COMBINATIONS]
SEEDS += [encoded(picture(mode), "JPEG") for mode in ("L", "RGB", "CMYK")]
SEEDS += [encoded(picture("RGB"), "JPEG", progressive=True)]
SEEDS += [encoded(picture("RGB"), "TIFF", compression=c) for c in ("tiff_lzw", "jpeg", "packbits")]


def array_or_image_error(data: bytes) -> None:
    try:
        grey = to_grey(open_image(data, pixel_limit=1_000_000))
    except ImageError as error:
        lines = str(error).splitlines()
    else:
        lines = [f"{grey.dtype} {grey.ndim}"]
    assert len(lines) == 1
    assert lines == ["uint8 2"] or lines[0].startswith("image: got ")


@given(
    st.sampled_from([b"", *(seed[:12] for seed in SEEDS)]),
    st.binary(max_size=300),
)
@settings(max_examples=200, deadline=None)
def test_arbitrary_bytes_end_in_an_array_or_an_image_error(start: bytes, rest: bytes) -> None:
    array_or_image_error(start + rest)


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=6),
    st.floats(0.2, 1),
)
@settings(max_examples=300, deadline=None)
def test_damaged_images_end_in_an_array_or_an_image_error(
    data: bytes, flips: list[tuple[float, int]], kept: float
) -> None:
    damaged = bytearray(data)
    for place, mask in flips:
        damaged[int(place * len(damaged))] ^= mask
    array_or_image_error(bytes(damaged[: int(len(damaged) * kept)]))


# Folders


def test_images_are_found_in_natural_order_without_hidden_files(tmp_path: Path) -> None:
    names = ["b/2.png", "b/10.PNG", "a.tif", "a10/x.jpg", "a2/x.JPEG", "b/01.gif", "b/1.gif"]
    others = [".hidden.png", "b/._1.png", ".git/x.png", "__MACOSX/1.png", "notes.txt", "b/mask.npy"]
    for name in names + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    expected = ["a2/x.JPEG", "a10/x.jpg", "a.tif", "b/01.gif", "b/1.gif", "b/2.png", "b/10.PNG"]
    assert found == expected


def test_every_suffix_is_found_in_any_case(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        (tmp_path / f"low{suffix}").touch()
        (tmp_path / f"HIGH{suffix.upper()}").touch()
    assert len(find_images(tmp_path)) == 2 * len(SUFFIXES)


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "yes").mkdir(parents=True)
    outside.mkdir()
    for folder in (root / "yes", outside):
        (folder / "1.png").touch()
    (root / "loop").symlink_to(root)
    (root / "alias").symlink_to(root / "yes")
    (root / "no").symlink_to(outside)
    (outside / "back").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "gone.png").symlink_to(root / "missing.png")
    assert find_images(root) == [root / "no" / "1.png", root / "yes" / "1.png"]


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        find_images(tmp_path / "missing")
    with pytest.raises(ImageError, match="Not a directory"):
        find_images(Path(__file__))
    assert find_images(tmp_path) == []


def test_all_scans_of_navoneel_are_read(shared: Path) -> None:
    folder = shared / "data" / "mri" / "navoneel"
    if not folder.is_dir():
        pytest.skip(f"needs the scans of navoneel: no folder {folder}")
    paths = find_images(folder)
    assert len(paths) == 253
    for path in paths:
        grey = read_grey(path)
        assert grey.ndim == 2
        assert grey.max() > grey.min()
