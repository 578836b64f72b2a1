"""Owns pairs of coarse and sharp patches: slices in, (coarse, sharp) tensors out.

Sample j of step i depends on (seed, i, j) alone. The whole slice is made coarse, as a scanner would
take it, and the patch cut out of both: a Fourier transform of a patch would ring at its borders.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from brainlens.core.errors import ImageError, SplitError
from brainlens.core.images import find_images, read_grey
from brainlens.core.progress import say, track
from brainlens.core.seeding import generator
from brainlens.data.index import read_index
from brainlens.generative.degradation import bicubic, kspace
from brainlens.generative.srconfig import SrConfig

Array = np.ndarray[Any, Any]
SCALE = 4
_VAL_SHARE = 10  # every tenth file of a plain folder validates
_TRIES, _FLAT = 5, 12.0  # a patch whose standard deviation is less shows air


def read_sides(data: Path, config: SrConfig) -> tuple[list[Array], list[Array], dict[str, Any]]:
    """Training and validation slices, uint8, sides multiples of 4, and where they came from.

    Of an index its `train` and `val` rows; of a folder nine files in ten and the tenth, which keeps
    no patients apart, and is said. Raises SplitError where a side is empty.
    """
    if data.is_dir():
        files = find_images(data)
        sides = {
            "train": [file for i, file in enumerate(files) if i % _VAL_SHARE],
            "val": files[::_VAL_SHARE],
        }
        say(f"{data}: a plain folder, so slices of one patient may train and validate; an index "
            "with a grouped split keeps them apart")  # fmt: skip
        facts: dict[str, Any] = {"folder": data.name, "grouped": False}
    else:
        index = read_index(data)
        sides = {side: [index.file(row) for row in index.of(side)] for side in ("train", "val")}
        facts = {"index": str(data), "digest": index.digest(), "grouped": True}
    found = []
    for side, most in (("train", config.images), ("val", config.val_images)):
        pictures = _read(sides[side], most, config.patch, side)
        if not pictures:
            raise SplitError(
                f"{data}: has no {side} pictures of at least {config.patch} pixels a side"
            )
        facts[side] = len(pictures)
        found.append(pictures)
    return found[0], found[1], facts


def _read(files: Sequence[Path], most: int, least: int, what: str) -> list[Array]:
    """Evenly chosen files as slices; unreadable and small ones are left out."""
    if len(files) > most:
        files = [files[i] for i in np.linspace(0, len(files) - 1, most).round().astype(int)]
    pictures = []
    for file in track(files, f"reading {what}", len(files)):
        try:
            grey = read_grey(file)
        except ImageError as error:
            say(f"skipped {error}")
            continue
        height, width = (side // SCALE * SCALE for side in grey.shape)
        if min(height, width) >= least:
            pictures.append(np.ascontiguousarray(grey[:height, :width]))
    return pictures


class Patches(Dataset[tuple[Tensor, Tensor]]):
    """The batches of steps `first` to `last`: coarse (B, 1, p/4, p/4) and sharp (B, 1, p, p)."""

    def __init__(self, pictures: Sequence[Array], config: SrConfig, first: int, last: int) -> None:
        self.pictures, self.config, self.first, self.last = pictures, config, first, last

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        if step >= len(self):
            raise IndexError(step)
        pairs = [self._pair(self.first + step, j) for j in range(self.config.batch_size)]
        return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])

    def _pair(self, step: int, sample: int) -> tuple[Tensor, Tensor]:
        config = self.config
        draw = generator(config.seed, "patch", step, sample)
        picture = self.pictures[int(draw.integers(len(self.pictures)))]
        sharp = torch.from_numpy(picture.astype(np.float32) / 255)[None]  # (1, H, W)
        coarse = made_coarse(sharp, config, draw)
        small = config.patch // SCALE
        for _ in range(_TRIES):
            top = int(draw.integers(coarse.shape[1] - small + 1))
            left = int(draw.integers(coarse.shape[2] - small + 1))
            big = sharp[
                :, top * SCALE : (top + small) * SCALE, left * SCALE : (left + small) * SCALE
            ]
            if float(big.std()) * 255 > _FLAT:
                break
        turns, flip = int(draw.integers(4)), bool(draw.integers(2))
        pair = (coarse[:, top : top + small, left : left + small], big)
        turned = [torch.rot90(one, turns, (1, 2)) for one in pair]
        done = [one.flip(2) if flip else one for one in turned]
        return done[0].contiguous(), done[1].contiguous()


def made_coarse(sharp: Tensor, config: SrConfig, draw: np.random.Generator | None = None) -> Tensor:
    """(1, H/4, W/4), rounded to 8 bits; without `draw` neither window nor noise."""
    if config.shrink == "bicubic":
        coarse = bicubic(sharp[None], SCALE)[0]
    elif draw is None:
        coarse = kspace(sharp[None], SCALE)[0]
    else:
        shape = (2, 1, sharp.shape[1] // SCALE, sharp.shape[2] // SCALE)
        parts = torch.from_numpy(draw.normal(0, config.noise * draw.uniform(), shape)).float()
        window = config.damping * float(draw.uniform())
        noise = torch.complex(parts[0], parts[1])
        coarse = kspace(sharp[None], SCALE, window=window, noise=noise)[0]
    return (coarse.clamp(0, 1) * 255).round() / 255
