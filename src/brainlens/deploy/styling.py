"""Owns the stage `style apply`: pictures in; PNG files, and a sheet of before and after, out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from brainlens import __version__
from brainlens.core.errors import ImageError, OutputError, UserError
from brainlens.core.files import replacing
from brainlens.core.progress import track
from brainlens.deploy.stylist import DETAIL, TILE, Stylist, shrunk
from brainlens.generative.pictures import Picture, read_picture
from brainlens.generative.sheet import grid
from brainlens.generative.upscaling import Source, prepare

Array = np.ndarray[Any, Any]
SHEET = "sheet.png"
_PANEL, _ROWS = 384, 12  # pixels of the shorter side on a sheet, and pictures on one
MARKS = {False: "drawn by a network after a photo", True: "changed by a network: not for diagnosis"}


@dataclass(frozen=True)
class Styled:
    """One picture that was written."""

    path: Path
    width: int
    height: int


def apply_style(
    inputs: Sequence[Path], out: Path, stylist: Stylist, *, strength: float = 1.0,
    detail: int | None = DETAIL, tile: int = TILE, sheet: bool = False, overwrite: bool = False,
) -> tuple[list[Styled], list[ImageError]]:  # fmt: skip
    """Paint every picture into `out`; answers what was written and what could not be read.

    Raises OutputError before any work where an output exists, ImageError where nothing is read.
    """
    sources = pictures_of(inputs, out, overwrite=overwrite)
    if sheet and not overwrite and (out / SHEET).exists():
        raise OutputError(f"{out / SHEET}: exists. Give --overwrite to replace it, or another -o")
    done: list[Styled] = []
    unreadable: list[ImageError] = []
    rows: list[list[Image.Image]] = []
    mark = MARKS[bool(stylist.meaning["grey"])]
    for source in track(sources, "painting", len(sources)):
        try:
            picture = read_picture(source.path)
            photo = colour(picture)
            painted = stylist.apply(photo, strength, detail=detail, tile=tile)
            path = out / f"{source.target}.png"
            _write(path, painted, picture, facts(stylist, strength, detail), mark)
        except ImageError as error:
            unreadable.append(error)
            continue
        done.append(Styled(path, picture.width, picture.height))
        if sheet and len(rows) < _ROWS:
            rows.append([Image.fromarray(shrunk(one, _PANEL)) for one in (photo, painted)])
    if not done and unreadable:
        raise unreadable[0]
    if rows:
        page = grid(rows, ["photo", f"painted, strength {strength:g}"], mark)
        with replacing(out / SHEET) as temporary:
            page.save(temporary, "PNG")
    return done, unreadable


def pictures_of(inputs: Sequence[Path], out: Path, *, overwrite: bool) -> list[Source]:
    """What is to be painted; scans are refused, since no style may touch what is diagnosed from."""
    sources = prepare(inputs, out, overwrite=overwrite)
    scans = [source for source in sources if source.scan]
    if scans:
        raise UserError(
            f"{scans[0].path}: is a scan; expected a picture (JPEG, PNG, TIFF, WebP, BMP, GIF)"
        )
    return sources


def colour(picture: Picture) -> Array:
    """(H, W, 3) uint8 of a picture of any channels and depth; alpha is left to the writer."""
    own = picture.pixels[..., :-1] if picture.alpha else picture.pixels
    if picture.deep:
        scaled = (own.astype(np.float32) - picture.low) / max(picture.high - picture.low, 1)
        own = np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return np.repeat(own, 3, 2) if own.shape[2] == 1 else np.ascontiguousarray(own)


def facts(stylist: Stylist, strength: float, detail: int | None) -> dict[str, Any]:
    """How a picture came about, for its own text."""
    return {
        "style": stylist.file.name,
        "digest": stylist.digest,
        "direction": stylist.meaning["direction"],
        "strength": strength,
        "detail": detail,
        "brainlens": __version__,
    }


def _write(path: Path, painted: Array, picture: Picture, how: dict[str, Any], mark: str) -> None:
    """One PNG with the alpha of its source; the profile goes, the colours are the painter's."""
    pixels = painted
    if picture.alpha:
        alpha = picture.pixels[..., -1:]
        eight = (alpha // 257).astype(np.uint8) if picture.deep else alpha
        pixels = np.concatenate([painted, eight], 2)
    texts = PngInfo()
    texts.add_itxt("Disclaimer", mark)
    texts.add_itxt("Software", f"brainlens {__version__}")
    texts.add_itxt("Comment", json.dumps(how))
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, "PNG", pnginfo=texts, compress_level=3)
