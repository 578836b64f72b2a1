"""Owns what is enlarged: colour, alpha, depth and profile of a picture, kept from file to file.

Enters: an image file of any mode, or a slice of a scan. Leaves: a Picture, which gives its tiles as
float32 of 0 to 1 and takes enlarged ones back in its own depth. Grey stays grey, 16 bits stay 16.
"""

from __future__ import annotations

import mmap
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from brainlens.core.errors import ImageError
from brainlens.core.images import open_image
from brainlens.core.slices import Slice

Array = np.ndarray[Any, Any]
LEAST = 4  # pixels a side: less holds nothing to enlarge
_SPARED = 32_000_000  # bytes from which pixels wait in a file instead of in memory
_DEEP = 65535
_WHITE_IS_ZERO = 0
_PHOTOMETRIC = 262  # the TIFF tag


@dataclass(frozen=True)
class Picture:
    """Pixels with what their file says of them."""

    name: str
    pixels: Array  # (H, W, C) uint8 or uint16; C: 1 grey, 2 grey and alpha, 3 RGB, 4 with alpha
    low: float  # the value that a network sees as 0
    high: float  # and as 1
    profile: bytes | None = None  # ICC
    medical: bool = False  # a slice of a scan
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def deep(self) -> bool:
        """Whether a sample has 16 bits."""
        return bool(self.pixels.dtype == np.uint16)

    @property
    def alpha(self) -> bool:
        return self.pixels.shape[2] in (2, 4)

    def tile(self, top: int, bottom: int, left: int, right: int) -> Array:
        """(h, w, C) float32, low to high as 0 to 1; alpha from transparent to opaque as 0 to 1."""
        part = self.pixels[top:bottom, left:right].astype(np.float32)
        offset, span = self._ranges()
        scaled: Array = (part - offset) / span
        if isinstance(self.pixels, np.memmap) and isinstance(self.pixels.base, mmap.mmap):
            self.pixels.base.madvise(mmap.MADV_DONTNEED)  # else every page read would stay
        return scaled

    def samples(self, values: Array) -> Array:
        """Enlarged floats as samples of the file, rounded and clipped to what it can hold."""
        offset, span = self._ranges()
        top = _DEEP if self.deep else 255
        whole = np.rint(values * span + offset)
        clipped: Array = np.clip(whole, 0, top).astype(self.pixels.dtype)
        return clipped

    def _ranges(self) -> tuple[Array, Array]:
        """Offset and span of every channel."""
        channels = self.pixels.shape[2]
        offset = np.full(channels, self.low, np.float32)
        span = np.full(channels, max(self.high - self.low, 1.0), np.float32)
        if self.alpha:
            offset[-1], span[-1] = 0.0, _DEEP if self.deep else 255.0
        return offset, span


def read_picture(path: Path) -> Picture:
    """An image file; raises ImageError for one that is broken or below 4 pixels a side."""
    image = open_image(path)
    profile, mode = image.info.get("icc_profile"), image.mode
    pixels = _deep(image) if mode.startswith(("I", "F")) else _shallow(image, path)
    image.close()
    low, high = 0.0, 255.0
    if pixels.dtype == np.uint16:  # few scans use the whole range, and a network knows 0 to 1
        low, high = float(pixels[..., 0].min()), float(pixels[..., 0].max())
    kept = isinstance(profile, bytes) and mode in {"L", "LA", "RGB", "RGBA"}
    picture = Picture(
        str(path), spared(pixels), low, high, profile if kept else None, facts={"mode": mode}
    )
    check_size(picture)
    return picture


def spared(pixels: Array) -> Array:
    """Many pixels as a temporary file without a name: only those of a tile are held in memory."""
    if pixels.nbytes < _SPARED or not hasattr(mmap, "MADV_DONTNEED"):
        return pixels
    with tempfile.TemporaryFile() as file:
        pixels.tofile(file)
        return np.memmap(file, pixels.dtype, "r", shape=pixels.shape)


def of_slice(one: Slice, window: tuple[float, float] | None = None) -> Picture:
    """A slice of a scan, as its window shows it."""
    name = f"{one.path} slice {one.number}" if one.planes > 1 else str(one.path)
    low, high = window or one.window
    facts = {"slice": one.number, "slices": one.planes, "window": [low, high]}
    known = {k: v for k, v in one.facts.items() if k in {"format", "modality", "plane", "spacing"}}
    picture = Picture(
        name, one.shown(window)[..., None], 0.0, 255.0, medical=True, facts=known | facts
    )
    check_size(picture)
    return picture


def check_size(picture: Picture) -> None:
    """Refuse what is too small to enlarge."""
    if min(picture.height, picture.width) < LEAST:
        got = f"{picture.width} x {picture.height} pixels"
        raise ImageError(picture.name, got, f"at least {LEAST} pixels a side")


def _deep(image: Image.Image) -> Array:
    """(H, W, 1) uint16 of a picture with more than 8 bits; stretched where it does not fit."""
    values = np.asarray(image).astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    whole = image.mode.startswith("I") and low >= 0 and high <= _DEEP
    if not whole:
        values = (np.nan_to_num(values, nan=low) - low) * (_DEEP / (high - low or 1.0))
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = _DEEP - values
    return np.clip(np.rint(values), 0, _DEEP).astype(np.uint16)[..., None]


def _shallow(image: Image.Image, path: Path) -> Array:
    """(H, W, C) uint8: grey where every mode or palette entry is grey, else RGB; alpha kept."""
    try:
        if image.mode in {"L", "LA", "RGB", "RGBA"} and "transparency" not in image.info:
            pixels = np.asarray(image)
        elif image.mode == "1":
            pixels = np.asarray(image.convert("L"))
        elif image.has_transparency_data:
            pixels = _less_colour(np.asarray(image.convert("RGBA")), image.mode)
        else:
            pixels = _less_colour(np.asarray(image.convert("RGB")), image.mode)
    except Exception as error:  # a broken palette or transparency shows only here
        line = " ".join(str(error).split())
        raise ImageError(path, f"a broken image ({line})", "a whole image") from error
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _less_colour(pixels: Array, mode: str) -> Array:
    """Grey and palette pictures that had to pass through RGB, back to grey where they are."""
    if mode not in {"P", "PA", "L", "LA"}:
        return pixels
    grey = (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()
    return np.ascontiguousarray(np.delete(pixels, (1, 2), 2)) if grey else pixels
