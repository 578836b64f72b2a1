"""Owns preprocessing: a grey picture of any size in, the network's input out.

Built once at training, stored with the weights, embedded in every export, and used by evaluation,
the command line and the web app alike. No torch: serving needs none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

from brainlens.core.config import resolve
from brainlens.core.errors import ConfigError, RunError

Fit = Literal["stretch", "pad"]
Array = np.ndarray[Any, Any]

_CONTENT = 0.08  # of the 99th percentile: brighter than this is head, darker is air
_SHARE = 0.02  # of a line that is head, at least
_MARGIN = 0.02  # of the content's longer side, kept around it


@dataclass(frozen=True)
class Frame:
    """The place of a picture in the input: x' = (x - left) * across + pad_left, y' alike."""

    left: float
    top: float
    across: float  # input pixels a picture pixel
    down: float
    pad_left: float  # input pixels of padding
    pad_top: float

    def place(self, points: Array) -> Array:
        """(n, 2) x, y of the picture to x, y of the input."""
        scale = np.array([self.across, self.down])
        return np.asarray(
            (points - np.array([self.left, self.top])) * scale
            + np.array([self.pad_left, self.pad_top])
        )


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes `size x size` numbers."""

    size: int  # pixels a side
    fit: Fit = "stretch"  # distort to the square, or pad with black
    crop: bool = False  # cut the dark border around the head off first
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)  # of pixels in 0..1, one a channel
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def picture(self, grey: Array) -> Array:
        """(H, W) uint8 of any size to (size, size) uint8."""
        if self.crop:
            grey = content_crop(grey)
        image = Image.fromarray(grey)
        if self.fit == "stretch":
            resized = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
            return np.asarray(resized)
        scale = self.size / max(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        square = Image.new("L", (self.size, self.size))
        small = image.resize((width, height), Image.Resampling.BILINEAR)
        square.paste(small, ((self.size - width) // 2, (self.size - height) // 2))
        return np.asarray(square)

    def frame(self, grey: Array) -> Frame:
        """Where the pixels of (H, W) come to lie in the input, for outlines and heat maps."""
        whole = (0, grey.shape[0], 0, grey.shape[1])
        top, bottom, left, right = content_box(grey) if self.crop else whole
        height, width = bottom - top, right - left
        if self.fit == "stretch":
            return Frame(left, top, self.size / width, self.size / height, 0, 0)
        scale = self.size / max(height, width)
        across, down = (max(1, round(side * scale)) for side in (width, height))
        return Frame(
            left, top, across / width, down / height,
            (self.size - across) // 2, (self.size - down) // 2,
        )  # fmt: skip

    def tensor(self, pictures: Array) -> Array:
        """(N, size, size) uint8 to (N, 3, size, size) float32, normalised."""
        levels = np.arange(256, dtype=np.float32) / 255  # each worked out once, not each pixel
        out = np.empty((len(pictures), len(self.mean), *pictures.shape[1:]), np.float32)
        channels = list(zip(self.mean, self.std, strict=True))
        for place, (mean, std) in enumerate(channels):
            alike = channels.index((mean, std))
            if alike == place:
                table = (levels - np.float32(mean)) / np.float32(std)
                out[:, place] = table.take(pictures, mode="clip")  # which nothing needs: unchecked
            else:
                out[:, place] = out[:, alike]
        return out

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for the metadata of a checkpoint or export."""
        return dataclasses.asdict(self)


def from_dict(values: Mapping[str, Any]) -> Preprocessing:
    """Preprocessing from its plain values; raises RunError for unknown, missing or broken ones."""
    try:
        for field in dataclasses.fields(Preprocessing):
            if field.name not in values:
                raise ConfigError(f"{field.name} is missing")
        stored = resolve(Preprocessing, values)
        channels = len(stored.std)
        if stored.size < 1 or not channels or len(stored.mean) != channels or not all(stored.std):
            raise ConfigError(f"no picture can be of {dict(values)}")
    except ConfigError as error:
        raise RunError(f"the stored preprocessing is not understood ({error})") from None
    return stored


def content_crop(grey: Array) -> Array:
    """Cut off the dark border; the picture itself where nothing stands out from it."""
    top, bottom, left, right = content_box(grey)
    return grey[top:bottom, left:right]


def quantile(grey: Array, share: float) -> float:
    """`np.quantile` of (H, W) uint8 by its counts: the same number, sooner."""
    below = np.cumsum(Image.fromarray(grey).histogram())
    place = (grey.size - 1) * share
    pair = (int(place), min(int(place) + 1, grey.size - 1))
    low, high = (int(level) for level in np.searchsorted(below, pair, side="right"))
    part = place - pair[0]
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)


def content_box(grey: Array) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is no dark border, as slices take them."""
    import cv2

    bright = (grey > max(6.0, _CONTENT * quantile(grey, 0.99))).view(np.uint8)
    down, across = (cv2.reduce(bright, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S) for axis in (1, 0))
    height, width = grey.shape
    rows = np.flatnonzero(down.ravel() / width > _SHARE)
    columns = np.flatnonzero(across.ravel() / height > _SHARE)
    if rows.size < 8 or columns.size < 8:
        return 0, height, 0, width
    margin = round(_MARGIN * max(np.ptp(rows), np.ptp(columns)))
    top, left = max(0, int(rows[0]) - margin), max(0, int(columns[0]) - margin)
    bottom = min(height, int(rows[-1]) + 1 + margin)
    return top, bottom, left, min(width, int(columns[-1]) + 1 + margin)
