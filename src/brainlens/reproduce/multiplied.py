"""Owns images multiplied on disk, as seed C does it: turned and mirrored versions of each scan.

Enters: rows and how many versions each class gets, the scan itself counted. Leaves: the rows with
those of the new files, which keep the group of their source. What version v of a scan looks like
depends on the seed, the scan and v alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from brainlens.classify.augment import Strength, augment
from brainlens.core.images import read_grey
from brainlens.core.progress import track
from brainlens.core.seeding import derive
from brainlens.data.index import Row

# "Rotations, mirrors and flips"; how far is not told.
TURNS = Strength(flip=0.5, flip_vertical=0.5, rotate=10)
_LARGEST = 400  # pixels a side: the seed trains at 150
MARK = "multiplied"  # the flag of a made row


def multiply(rows: Sequence[Row], versions: Mapping[str, int], folder: Path) -> list[Row]:
    """Rows (absolute paths) and their new versions, written as PNG below `folder`."""
    done: list[Row] = []
    for place, row in enumerate(track(rows, "multiplying", len(rows))):
        done.append(row)
        extra = versions.get(row.label, 1) - 1
        if extra > 0:  # numbered by place: a set may hold a file twice
            done += _versions(row, extra, folder / row.label, f"{place}-{row.digest[:12]}")
    return done


def _versions(row: Row, extra: int, folder: Path, stem: str) -> list[Row]:
    image = Image.fromarray(read_grey(Path(row.path)))
    image.thumbnail((_LARGEST, _LARGEST), Image.Resampling.BILINEAR)
    grey = torch.from_numpy(np.array(image, np.float32) / 255)
    seeds = [derive("multiply", row.pixel_digest, number) for number in range(extra)]
    made = augment(grey.expand(extra, 1, *grey.shape).clone(), seeds, TURNS)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, picture in enumerate((made[:, 0] * 255).round().byte().numpy()):
        path = folder / f"{stem}-{number}.png"
        Image.fromarray(picture).save(path, compress_level=1)
        pixels = hashlib.sha256(f"{picture.shape}".encode() + picture.tobytes())
        rows.append(
            dataclasses.replace(
                row,
                path=str(path.resolve()),
                digest=hashlib.sha256(path.read_bytes()).hexdigest(),
                pixel_digest=pixels.hexdigest(),
                width=picture.shape[1],
                height=picture.shape[0],
                mode="L",
                flags=MARK,
            )
        )
    return rows
