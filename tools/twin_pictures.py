"""Draws the twins of docs/leakage.md from the embedded SYNTHETIC sample, and audits them.

    python -m tools.twin_pictures

One drawn slice is changed as public sets change theirs, and put with its changes and the slices
that look most like it into one folder. `brainlens audit`'s own function then says which are twins.
Writes docs/pictures/twins.png, docs/pictures/not-twins.png and docs/results/twins.json.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from brainlens.core.files import replacing, write_json
from brainlens.core.provenance import versions
from brainlens.data.audit import audit_index
from brainlens.data.index import read_index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.sample import SAMPLE_DIR

DOCS = Path(__file__).resolve().parents[1] / "docs"
SOURCE = SAMPLE_DIR / "glioma" / "glioma-002.jpg"
SIDE = 160  # pixels of a tile
ALIKE = 4  # slices that only look alike


def _saved_again(picture: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=25)
    return Image.open(stream).convert("L")


def _cropped(picture: Image.Image) -> Image.Image:
    wide, high = picture.size
    return picture.crop((wide // 16, high // 12, wide - wide // 16, high - high // 20))


# What is done to a slice, in words; and how.
CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "turned by 90 degrees, JPEG quality 25": lambda one: _saved_again(one.rotate(90, expand=True)),
    "cropped at all sides and made larger": lambda one: _cropped(one).resize((300, 300)),
    "brighter (gamma 0.6)": lambda one: one.point(lambda v: round(255 * (v / 255) ** 0.6)),
}


def main() -> None:
    """Make the pictures and the figures."""
    document, tiles = measured()
    sheet([tiles[name] for name in ("the slice", *CHANGES)], DOCS / "pictures" / "twins.png")
    sheet([tiles[one["file"]] for one in document["not twins"]], DOCS / "pictures/not-twins.png")
    write_json(DOCS / "results" / "twins.json", document)


def measured() -> tuple[dict[str, Any], dict[str, Image.Image]]:
    """The figures, and the pictures by name."""
    original = Image.open(SOURCE).convert("L")
    tiles = {"the slice": original} | {name: how(original) for name, how in CHANGES.items()}
    alike = most_alike(SOURCE, ALIKE)
    tiles |= {path.name: Image.open(path).convert("L") for path, _ in alike}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "glioma"
        folder.mkdir()
        for number, tile in enumerate(tiles.values()):
            tile.save(folder / f"{number}.png")
        write_index(index_folders([folder.parent], label_map={}).rows, Path("/"), folder / "i.csv")
        found = audit_index(read_index(folder / "i.csv"))
    names = list(tiles)
    twins = {}
    for pair in found.pairs:
        one, other = sorted(int(Path(path).stem) for path in (pair.one, pair.other))
        if one == 0:
            twins[names[other]] = round(pair.r, 3)
    document = {
        "command": "python -m tools.twin_pictures",
        "source": SOURCE.name,
        "threshold": 0.98,
        "twins": [{"change": name, "r": twins.get(name)} for name in CHANGES],
        "not twins": [
            {"file": path.name, "r as it lies": round(r, 3), "found": path.name in twins}
            for path, r in alike
        ],
        "versions": versions(),
    }
    return document, tiles


def most_alike(source: Path, most: int) -> list[tuple[Path, float]]:
    """The slices of the sample that correlate most with one, planted twins aside."""
    planted = {
        line.split(",")[0]
        for line in (SAMPLE_DIR / "manifest.csv").read_text("utf-8").splitlines()
        if "planted" in line
    }
    here = _small(source)
    others = [
        (path, float(np.corrcoef(here, _small(path))[0, 1]))
        for path in sorted(SAMPLE_DIR.glob("*/*.jpg"))
        if path != source and path.relative_to(SAMPLE_DIR).as_posix() not in planted
    ]
    return sorted(others, key=lambda one: -one[1])[:most]


def _small(path: Path) -> np.ndarray[Any, Any]:
    picture = Image.open(path).convert("L").resize((128, 128), Image.Resampling.BOX)
    return np.asarray(picture, np.float64).ravel()


def sheet(tiles: list[Image.Image], out: Path) -> None:
    """Tiles side by side in one grey PNG."""
    page = Image.new("L", (SIDE * len(tiles) + 4 * (len(tiles) - 1), SIDE), 255)
    for number, tile in enumerate(tiles):
        fitted = ImageOps.pad(tile, (SIDE, SIDE), color=0)
        page.paste(fitted, (number * (SIDE + 4), 0))
    with replacing(out) as temporary:
        page.save(temporary, "PNG", optimize=True)


if __name__ == "__main__":
    main()
