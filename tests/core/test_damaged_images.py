"""Any file ends in an array or in one ImageError of one line; nothing else comes out."""

from __future__ import annotations

import os
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from brainlens.core.errors import ImageError
from brainlens.core.images import PIXEL_LIMIT, open_image, to_grey
from tests.core.picture_files import (
    COMBINATIONS,
    chunk,
    encoded,
    picture,
    png,
    refusal,
)

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
