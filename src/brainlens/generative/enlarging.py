"""Owns enlarging one picture: tile by tile, in smaller tiles where the memory does not suffice.

Enters: a Picture and a Generator. Leaves: bands of finished rows, from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from brainlens.core.errors import UserError
from brainlens.core.interpolation import resize
from brainlens.core.progress import say, track
from brainlens.generative.generators import Generator
from brainlens.generative.pictures import Picture
from brainlens.generative.tiles import OVERLAP, enlarge_in_tiles, tile_count

Array = np.ndarray[Any, Any]
TILE = 256  # pixels a side: about 1 GB for an ESRGAN generator
LEAST_TILE = 3 * OVERLAP


def bands(
    picture: Picture, generator: Generator, *, tile: int = TILE, quiet: bool = False
) -> Iterator[Array]:
    """The enlarged picture from top to bottom, (rows, sW, C) at a time; shows progress by tile."""
    total = tile_count(picture.height, picture.width, tile)
    work = enlarge_in_tiles(
        picture.tile,
        with_alpha(in_memory(generator.enlarge, generator.scale), generator.scale),
        picture.samples,
        height=picture.height,
        width=picture.width,
        scale=generator.scale,
        tile=tile,
    )
    shown = work if quiet else track(work, f"enlarging {picture.name}", total)
    for rows, _ in shown:
        if rows is not None:
            yield rows


def enlarged(picture: Picture, generator: Generator, *, tile: int = TILE) -> Array:
    """The whole enlarged picture, (sH, sW, C)."""
    return np.concatenate(list(bands(picture, generator, tile=tile, quiet=True)))


def with_alpha(enlarge: Callable[[Array], Array], scale: int) -> Callable[[Array], Array]:
    """The same for pictures with alpha as their last channel, which is enlarged bicubically."""

    def both(part: Array) -> Array:
        if part.shape[2] in (1, 3):
            return enlarge(part)
        colour = enlarge(np.ascontiguousarray(part[..., :-1]))
        alpha = resize(part[..., -1:], part.shape[0] * scale, part.shape[1] * scale)
        return np.concatenate([colour, alpha], 2)

    return both


def in_memory(enlarge: Callable[[Array], Array], scale: int) -> Callable[[Array], Array]:
    """The same, which halves a tile that the memory cannot take, says so, and remembers."""
    limit: list[int] = []  # the longest side that is still tried

    def patient(part: Array) -> Array:
        side = max(part.shape[:2])
        if not limit or side <= limit[-1]:
            try:
                return enlarge(part)
            except (MemoryError, RuntimeError) as error:
                if not _out_of_memory(error):
                    raise
            if side <= LEAST_TILE:
                raise UserError(
                    f"out of memory even in tiles of {side} pixels. Close other programs, or use "
                    "--method bicubic"
                )
            limit.append(max(LEAST_TILE, side // 2 + OVERLAP // 2))
            say(f"out of memory with a tile of {side} pixels; going on with {limit[-1]}")
        pieces = enlarge_in_tiles(
            lambda top, bottom, left, right: part[top:bottom, left:right],
            patient,
            lambda values: values.copy(),
            height=part.shape[0],
            width=part.shape[1],
            scale=scale,
            tile=limit[-1],
        )
        return np.concatenate([rows for rows, _ in pieces if rows is not None])

    return patient


def _out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out: torch and OpenVINO raise RuntimeError for it."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "memory" in text or "bad_alloc" in text
