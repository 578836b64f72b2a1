"""Packed bytes come out whole, or not at all."""

from __future__ import annotations

import gzip

import pytest

from brainlens.core.errors import ImageError, TooLargeError
from brainlens.core.packed import gunzip

TWO = gzip.compress(b"abc") + gzip.compress(b"def")


def test_members_of_a_gzip_file_follow_each_other_up_to_the_limit() -> None:
    assert gunzip("x", TWO, 6) == b"abcdef"
    with pytest.raises(TooLargeError, match="unpacks to more than 5 bytes"):
        gunzip("x", TWO, 5)


def test_a_cut_or_broken_file_is_named() -> None:
    with pytest.raises(ImageError, match="x: got a packed file that ends too early"):
        gunzip("x", TWO[:-9])
    with pytest.raises(ImageError, match="x: got a broken packed file"):
        gunzip("x", TWO[:10] + b"\xff" * 20)
