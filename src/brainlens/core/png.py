"""Owns PNG files written row by row: a picture larger than the memory is never held whole.

Enters: bands of rows, uint8 or uint16, with 1 (grey), 2 (grey, alpha), 3 or 4 channels. Leaves: one
PNG file with its texts. W3C PNG, second edition; rows are filtered by difference to the row above.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from brainlens.core.files import replacing

Array = np.ndarray[Any, Any]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR = {1: 0, 2: 4, 3: 2, 4: 6}  # channels: PNG's colour type
_UP = 2  # the filter: each byte less the one above it
_STEP = 32  # rows at a time: filtering holds them four times over
_LEVEL = 3  # of zlib: the files are a few per cent larger than at 6, and done in half the time


def write_png(
    path: Path,
    bands: Iterable[Array],
    *,
    width: int,
    height: int,
    channels: int,
    deep: bool = False,
    texts: Mapping[str, str] | None = None,
    profile: bytes | None = None,
) -> Path:
    """Write bands (rows, width, channels) that add up to `height` rows; whole, or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        stream.write(_SIGNATURE)
        depth = 16 if deep else 8
        head = struct.pack(">IIBBBBB", width, height, depth, _COLOUR[channels], 0, 0, 0)
        _chunk(stream, b"IHDR", head)
        if profile:
            _chunk(stream, b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
        for key, text in (texts or {}).items():
            _chunk(stream, b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + text.encode("utf-8"))
        rows = _write_rows(stream, bands, width * channels * (2 if deep else 1), deep)
        assert rows == height, f"{rows} rows for a picture of {height}"
        _chunk(stream, b"IEND", b"")
    return path


def _write_rows(stream: BinaryIO, bands: Iterable[Array], size: int, deep: bool) -> int:
    """The pixel chunks; answers how many rows came."""
    packer = zlib.compressobj(_LEVEL)
    above, rows = np.zeros(size, np.uint8), 0
    for band in bands:
        for start in range(0, len(band), _STEP):
            lines = _samples(band[start : start + _STEP], size, deep)
            if data := packer.compress(_filtered(lines, above).tobytes()):
                _chunk(stream, b"IDAT", data)
            above = lines[-1].copy()
        rows += len(band)
        del band, lines  # else this band would lie beside the next one while that is made
    _chunk(stream, b"IDAT", packer.flush())
    return rows


def _samples(rows: Array, size: int, deep: bool) -> Array:
    """Rows as the bytes of the file, (n, size)."""
    samples = np.ascontiguousarray(rows.astype(">u2" if deep else np.uint8, copy=False))
    return samples.view(np.uint8).reshape(len(rows), size)


def _filtered(lines: Array, above: Array) -> Array:
    """Each row less the one above it, modulo 256, with the filter's number before it."""
    filtered = np.empty((len(lines), lines.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[:, 1:] = lines - np.concatenate([above[None], lines[:-1]])
    return filtered


def _chunk(stream: BinaryIO, kind: bytes, data: bytes) -> None:
    stream.write(struct.pack(">I", len(data)) + kind + data)
    stream.write(struct.pack(">I", zlib.crc32(kind + data)))
