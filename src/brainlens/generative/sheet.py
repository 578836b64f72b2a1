"""Owns the sheets that show pictures side by side: ways of enlarging, or before and after."""

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
    return grid([panels], [one.method for one in generators], mark)


def grid(rows: Sequence[Sequence[Image.Image]], titles: Sequence[str], mark: str) -> Image.Image:
    """Panels in columns under their titles, every column and row as large as its largest panel."""
    wide = [max(row[i].width for row in rows) for i in range(len(titles))]
    high = [max(panel.height for panel in row) for row in rows]
    size = (sum(wide) + _GAP * (len(wide) - 1), sum(high) + _GAP * (len(high) - 1) + 2 * _LINE)
    page = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_TYPE)
    left = 0
    for column, title in enumerate(titles):
        draw.text((left + 2, 2), title, fill="black", font=font)
        top = _LINE
        for row, height in zip(rows, high, strict=True):
            page.paste(row[column], (left, top))
            top += height + _GAP
        left += wide[column] + _GAP
    draw.text((2, size[1] - _LINE + 2), mark, fill="black", font=font)
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
