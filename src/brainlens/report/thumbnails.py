"""Owns small pictures for a page: image files in, `data:` URIs out, bounded in number and bytes.

Each is grey, at most SIDE pixels a side, and made anew from the pixels: nothing of the file's own
metadata travels with it. Once a bound is reached no more are made, and it is counted how many.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from brainlens.core.errors import ImageError
from brainlens.core.images import open_image, to_grey
from brainlens.data import symmetry

SIDE = 96  # pixels of the longer side
QUALITY = 60  # of JPEG
MOST = 700  # pictures on a page
MOST_BYTES = 2_500_000  # of all of them together, as the page holds them (base64)


class Thumbnails:
    """The pictures of one page, and how many bytes they have used."""

    def __init__(self, *, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self.most, self.most_bytes = most, most_bytes
        self.made = 0
        self.bytes = 0
        self.left_out = 0  # asked for beyond a bound
        self.unreadable = 0
        self._small: dict[Path, Image.Image | None] = {}

    def of(self, file: Path, turned: int = 0) -> str:
        """The picture under one of the eight symmetries; "" where there is none."""
        if self.made >= self.most or self.bytes >= self.most_bytes:
            self.left_out += 1
            return ""
        if file not in self._small:
            self._small[file] = _small(file)
        small = self._small[file]
        if small is None:
            self.unreadable += 1
            return ""
        uri = _uri(small, turned)
        if self.bytes + len(uri) > self.most_bytes:
            self.left_out += 1
            return ""
        self.made += 1
        self.bytes += len(uri)
        return uri


def _small(file: Path) -> Image.Image | None:
    """The file's picture at most SIDE pixels a side; None where it can no longer be read."""
    try:
        image = Image.fromarray(to_grey(open_image(file, least=2 * SIDE)))
    except ImageError:
        return None  # a page that lacks one picture says so, and is better than no page
    image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return image


def _uri(small: Image.Image, turned: int) -> str:
    stream = io.BytesIO()
    pixels = np.ascontiguousarray(symmetry.turn(np.asarray(small), turned))
    Image.fromarray(pixels).save(stream, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
