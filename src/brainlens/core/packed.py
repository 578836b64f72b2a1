"""Owns packed bytes: gzip and deflate, unpacked no further than a limit.

A file of a megabyte may hold a gigabyte of zeros: sizes are counted as bytes come out, not as
headers promise. Leaves: bytes, TooLargeError beyond the limit, ImageError for broken ones.
"""

from __future__ import annotations

import zlib

from brainlens.core.errors import ImageError, TooLargeError

GZIP = b"\x1f\x8b"
UNPACKED = 1 << 30  # bytes of one file, where nobody asks for less
_CHUNK = 1 << 20
_GZIP_WINDOW, _RAW_WINDOW = 31, -15  # zlib's `wbits`: with a gzip header, and with none


def gunzip(name: object, content: bytes, most: int = UNPACKED) -> bytes:
    """The content of a gzip file, of all its members."""
    parts: list[bytes] = []
    left, rest = most, content
    while rest[:2] == GZIP:
        data, rest = _unpacked(name, rest, _GZIP_WINDOW, left, most)
        left -= len(data)
        parts.append(data)
    return b"".join(parts)


def inflate(name: object, content: bytes, most: int = UNPACKED) -> bytes:
    """What a deflated stream without a header holds."""
    return _unpacked(name, content, _RAW_WINDOW, most, most)[0]


def _unpacked(
    name: object, content: bytes, window: int, left: int, most: int
) -> tuple[bytes, bytes]:
    """One stream, and the bytes that follow it."""
    unpacker, parts, rest = zlib.decompressobj(wbits=window), list[bytes](), content
    try:
        while not unpacker.eof:
            data = unpacker.decompress(rest, _CHUNK)
            rest = unpacker.unconsumed_tail
            if not data and not unpacker.eof:
                raise ImageError(str(name), "a packed file that ends too early", "a whole one")
            left -= len(data)
            if left < 0:
                raise TooLargeError(
                    str(name), f"a file that unpacks to more than {most:,} bytes", "less",
                    "Unpack it and look what it holds",
                )  # fmt: skip
            parts.append(data)
    except zlib.error as error:
        raise ImageError(str(name), f"a broken packed file ({error})", "a whole one") from None
    return b"".join(parts), unpacker.unused_data
