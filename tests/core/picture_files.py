"""Owns the image files of the tests: every kind and mode, and hand-made TIFF and PNG."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from brainlens.core.errors import ImageError
from brainlens.core.images import open_image, to_grey

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
