"""Owns the sheet that shows what each way of enlarging made of the same detail, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from brainlens.generative.enlarging import enlarged
from brainlens.generative.generators import Generator
from brainlens.generative.pictures import Picture

Array = np.ndarray[Any, Any]
_DETAIL = 96  # pixels a side of the small picture that are shown
_LINE, _GAP = 22, 6  # of text, and between the panels
_TYPE = 13


def sheet(picture: Picture, generators: Sequence[Generator], mark: str) -> Image.Image:
    """The middle of a picture, enlarged by each generator, in one row under their names."""
    detail = middle(picture)
    panels = [_as_image(enlarged(detail, one)) for one in generators]
    wide, high = panels[0].size
    size = (len(panels) * (wide + _GAP) - _GAP, high + 2 * _LINE)
    page = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_TYPE)
    for i, (panel, one) in enumerate(zip(panels, generators, strict=True)):
        left = i * (wide + _GAP)
        page.paste(panel, (left, _LINE))
        draw.text((left + 2, 2), one.method, fill="black", font=font)
    draw.text((2, high + _LINE + 2), mark, fill="black", font=font)
    return page


def middle(picture: Picture) -> Picture:
    """The middle of a picture, at most 96 x 96 pixels."""
    top = max(0, (picture.height - _DETAIL) // 2)
    left = max(0, (picture.width - _DETAIL) // 2)
    part = picture.pixels[top : top + _DETAIL, left : left + _DETAIL]
    return Picture(picture.name, part, picture.low, picture.high)


def _as_image(pixels: Array) -> Image.Image:
    """Samples as an 8-bit colour image; alpha over black, 16 bits by their range."""
    values: Array = pixels.astype(np.float32)
    if pixels.dtype == np.uint16:
        low, high = values[..., 0].min(), values[..., 0].max()
        values = (values - low) * (255 / max(high - low, 1))
    if pixels.shape[2] in (2, 4):
        values = values[..., :-1] * (values[..., -1:] / 255)
    if values.shape[2] == 1:
        values = np.repeat(values, 3, 2)
    return Image.fromarray(np.rint(np.clip(values, 0, 255)).astype(np.uint8))
