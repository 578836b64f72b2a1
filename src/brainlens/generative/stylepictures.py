"""Owns the two sides of an unpaired training: folders in, crops out.

A side is a folder of pictures, an index (its training rows), or `index.csv::TEXT`, those of its
rows whose path holds TEXT. Sample j of step i depends on (seed, i, j) alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from brainlens.core.errors import ImageError, UserError
from brainlens.core.images import find_images, open_image
from brainlens.core.progress import say, track
from brainlens.core.seeding import generator
from brainlens.data.index import missing_file_error, read_index
from brainlens.generative.styleconfig import StyleConfig

Array = np.ndarray[Any, Any]
LEAST = 4  # pictures a side to learn from: with fewer a judge knows each by heart
_PHOTO = re.compile(r"photo|natural|picture", re.I)
_PAINTING = re.compile(r"paint|gogh|monet|cezanne|ukiyo|art(?!ef)", re.I)


@dataclass(frozen=True)
class Side:
    """One kind of picture: what is learnt from, and what is kept for the score."""

    name: str
    train: list[Array]  # (H, W, 3) uint8
    held_out: list[Array]
    facts: dict[str, Any]


def read_both(photos: str, paintings: str, config: StyleConfig) -> tuple[Side, Side]:
    """Both sides; raises UserError for folders that are empty, the same, or swapped."""
    check_names(photos, paintings, grey=config.grey)
    return read_side(photos, config), read_side(paintings, config)


def check_names(photos: str, paintings: str, *, grey: bool) -> None:
    """Refuse the same source twice, and names that say the opposite of their place."""
    if Path(photos).resolve() == Path(paintings).resolve():
        raise UserError(f"{photos}: is given for both sides; expected PHOTOS, then PAINTINGS")
    first, second = Path(photos).name, Path(paintings).name
    first_paints = bool(_PAINTING.search(first)) and not _PHOTO.search(first)
    second_photos = bool(_PHOTO.search(second)) and not _PAINTING.search(second)
    if not grey and first_paints and second_photos:
        raise UserError(
            f"{first} and {second} look swapped; expected PHOTOS, then PAINTINGS. Swap them, or "
            "rename a folder that is not what it is called"
        )


def find_side(source: str) -> list[Path]:
    """The files of a folder, or of an index's training rows; UserError where there are none."""
    named, _, part = source.partition("::")
    place = Path(named)
    if not place.exists():
        raise UserError(f"{named}: no such folder; expected pictures, or an index")
    if place.is_dir():
        files = [file for file in find_images(place) if part in str(file)]
    else:
        index = read_index(place)
        rows = [row for row in index.of("train") if part in row.path]
        files = [index.file(row) for row in rows]
        if files and not any(file.exists() for file in files):
            raise missing_file_error(index, rows[0])
    if not files:
        raise UserError(f"{source}: holds no picture to learn from")
    return files


def divided(files: Sequence[Path], every: int) -> tuple[list[Path], list[Path]]:
    """Those to learn from, and every so manieth, for the score."""
    return [f for i, f in enumerate(files) if i % every], list(files[::every])


def read_side(source: str, config: StyleConfig) -> Side:
    """The pictures of a side, the shorter side brought to `load` pixels where it is larger."""
    files = find_side(source)
    parts: list[list[Array]] = []
    digest = hashlib.sha256()
    for chosen in divided(files, config.held_out):
        pictures = []
        for file in track(chosen, f"reading {Path(source).name}", len(chosen)):
            try:
                pixels = read_colour(file, grey=config.grey)
            except ImageError as error:
                say(f"skipped {error}")
                continue
            if min(pixels.shape[:2]) < config.crop:
                got = f"{pixels.shape[1]} x {pixels.shape[0]} pixels"
                say(f"skipped {file}: got {got}; expected at least crop={config.crop} a side")
                continue
            digest.update(file.read_bytes())
            pictures.append(fitted(pixels, config.load))
        parts.append(pictures)
    if len(parts[0]) < LEAST:
        raise UserError(
            f"{source}: has {len(parts[0])} pictures of at least {config.crop} pixels a side to "
            f"learn from (every {config.held_out}th is kept for the score); expected {LEAST} or "
            "more. Give more, or a smaller --set crop="
        )
    facts = {
        "source": Path(source).name,  # with its ::PART; no path of a machine
        "train": len(parts[0]),
        "held_out": len(parts[1]),
        "digest": digest.hexdigest(),
    }
    return Side(Path(source).name, parts[0], parts[1], facts)


def read_colour(file: Path, *, grey: bool = False) -> Array:
    """An image file as (H, W, 3) uint8; alpha over white; `grey` has three equal channels."""
    image = open_image(file)
    if grey:
        from brainlens.core.images import to_grey

        return np.repeat(to_grey(image)[..., None], 3, 2)
    if image.has_transparency_data:
        colour = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
    elif image.mode.startswith(("I", "F")):
        from brainlens.core.images import to_grey

        return np.repeat(to_grey(image)[..., None], 3, 2)
    return np.asarray(image.convert("RGB"))


def fitted(pixels: Array, short: int) -> Array:
    """The picture with its shorter side at `short` pixels, aspect kept."""
    height, width = pixels.shape[:2]
    scale = short / min(height, width)
    size = max(short, round(width * scale)), max(short, round(height * scale))
    if size == (width, height):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def as_tensor(pixels: Array) -> Tensor:
    """(H, W, 3) uint8 to (3, H, W), -1 to 1."""
    planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    return planes.float() / 127.5 - 1


def as_pixels(picture: Tensor) -> Array:
    """(3, H, W) of about -1 to 1 to (H, W, 3) uint8, clipped."""
    scaled = ((picture.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round()
    return scaled.to(torch.uint8).numpy().transpose(1, 2, 0)


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    """The batches of steps `first` to `last`: photos and paintings that have nothing in common.

    Of several devices each takes its own samples of a step.
    """

    def __init__(
        self, photos: Sequence[Array], paintings: Sequence[Array], config: StyleConfig,
        first: int, last: int, *, rank: int = 0,
    ) -> None:  # fmt: skip
        self.sides = ("photo", photos), ("painting", paintings)
        self.config, self.first, self.last, self.rank = config, first, last, rank

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        if step >= len(self):
            raise IndexError(step)
        size = self.config.batch_size
        numbers = range(self.rank * size, (self.rank + 1) * size)
        photo, painting = (
            torch.stack([self._sample(name, pictures, self.first + step, j) for j in numbers])
            for name, pictures in self.sides
        )
        return photo, painting

    def _sample(self, name: str, pictures: Sequence[Array], step: int, number: int) -> Tensor:
        """A crop of a random picture at a random size, mirrored in half of the cases."""
        config = self.config
        draw = generator(config.seed, name, step, number)
        pixels = pictures[int(draw.integers(len(pictures)))]
        pixels = fitted(pixels, int(draw.integers(config.load_least, config.load + 1)))
        top = int(draw.integers(pixels.shape[0] - config.crop + 1))
        left = int(draw.integers(pixels.shape[1] - config.crop + 1))
        part = pixels[top : top + config.crop, left : left + config.crop]
        return as_tensor(part[:, ::-1] if draw.integers(2) else part)
