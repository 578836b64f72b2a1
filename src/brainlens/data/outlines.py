"""Owns outlines: where the tumour lies in a picture, drawn by a reader.

Enters: a JSON file `{"file": [[[x, y], ...], ...]}` (or .json.gz): polygons in shares of the
picture's width and height, files relative to the JSON. Leaves: masks at the input's resolution.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from brainlens.core.errors import IndexFileError
from brainlens.core.images import read_grey
from brainlens.data.index import Index, Row
from brainlens.data.preprocess import Array, Preprocessing

Polygon = list[tuple[float, float]]  # x, y in 0..1


def read_outlines(path: Path) -> dict[Path, list[Polygon]]:
    """The polygons by absolute path of the picture; raises IndexFileError for anything else."""
    try:
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
        found = {
            (path.parent / name).resolve(): [[(float(x), float(y)) for x, y in one] for one in each]
            for name, each in json.loads(text).items()
        }
    except FileNotFoundError:
        raise IndexFileError(f"{path}: no such file; expected outlines (JSON)") from None
    except (OSError, ValueError, TypeError, AttributeError, EOFError) as error:
        raise IndexFileError(
            f"{path}: cannot be read as outlines ({error}); expected "
            '{"file": [[[x, y], ...], ...]} with x and y in shares of the picture'
        ) from None
    short = next((name for name, each in found.items() for one in each if len(one) < 3), None)
    if short:
        raise IndexFileError(f"{path}: an outline of {short.name} has fewer than three points")
    return found


def masks(
    index: Index, rows: Sequence[Row], outlines: Mapping[Path, Sequence[Polygon]],
    preprocessing: Preprocessing,
) -> tuple[Array, Array]:  # fmt: skip
    """(N, size, size) uint8, 255 inside an outline, and (N,) whether the row has one."""
    size = preprocessing.size
    drawn = np.zeros((len(rows), size, size), np.uint8)
    known = np.zeros(len(rows), bool)
    for number, row in enumerate(rows):
        polygons = outlines.get(index.file(row).resolve(), ())
        if polygons:
            drawn[number] = mask(read_grey(index.file(row)), polygons, preprocessing)
            known[number] = True
    return drawn, known


def mask(grey: Array, polygons: Sequence[Polygon], preprocessing: Preprocessing) -> Array:
    """(size, size) uint8, 255 inside, of outlines of the picture (H, W)."""
    frame = preprocessing.frame(grey)
    canvas = Image.new("L", (preprocessing.size, preprocessing.size))
    height, width = grey.shape
    for polygon in polygons:
        points = frame.place(np.array(polygon) * [width, height])
        ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in points], fill=255)
    return np.asarray(canvas)
