"""Owns training pictures whose tumours are outlined, and what is made of them: healed and decoys.

Enters: pictures, outlines, classes. Leaves: batches in which a part of the outlined slices is
healed (their class is then the background), and a part of all carries a painted place that means
nothing. Which, depends on (seed, epoch, sample) alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from brainlens.classify.batches import Batch
from brainlens.core.seeding import generator
from brainlens.data.healing import decoys, healed
from brainlens.data.index import Index, Row
from brainlens.data.outlines import masks, read_outlines
from brainlens.data.pictures import pictures
from brainlens.data.preprocess import Array, Preprocessing

_DECOY = 0.25  # share of the others that carry a painted place


class Outlined(Dataset[Batch]):
    """Pictures, their healed and decoy versions and masks, read a batch at a time."""

    def __init__(
        self,
        shown: Array,
        drawn: Array,
        known: Array,
        classes: Array,
        *,
        background: int,
        painted: float,
        seed: int,
    ) -> None:
        self.classes, self.seed, self.background = classes, seed, background
        self.painted = painted  # share of the outlined slices that are shown healed
        self.shown, self.drawn = shown, drawn
        # A slice without a tumour has nothing to outline, and so is outlined too.
        self.known = known | (classes == background)
        self.healable = known & (classes != background)
        donors = np.flatnonzero(self.known)
        self.healed = healed(shown, drawn, donors, seed=seed)
        self.decoys = decoys(shown, drawn, donors, seed=seed)
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.classes)

    def __getitems__(self, samples: Sequence[int]) -> Batch:
        stack, classes = [], []
        for i in samples:
            chance = generator(self.seed, "version", self.epoch, i).random()
            heal = bool(self.healable[i]) and chance < self.painted
            decoy = not heal and chance > 1 - _DECOY
            picture = (self.healed if heal else self.decoys if decoy else self.shown)[i]
            stack.append(np.stack([picture, self.drawn[i] * (not heal)]))
            classes.append(self.background if heal else int(self.classes[i]))
        known = torch.from_numpy(self.known[np.asarray(samples)])
        return Batch(
            torch.from_numpy(np.stack(stack)), torch.tensor(classes), list(samples), known
        )  # fmt: skip


class Checked(Dataset[Batch]):
    """Validation pictures, each outlined one a second time with its tumour painted out."""

    def __init__(self, shown: Array, drawn: Array, classes: Array, *, background: int, seed: int):
        some = np.flatnonzero(drawn.any((1, 2)) & (classes != background))
        made = healed(shown, drawn, some, seed=seed)[some]
        self.real = len(shown)  # the first so many are as they were
        self.pictures = np.concatenate([shown, made])
        self.classes = np.concatenate([classes, np.full(len(some), background)])

    def __len__(self) -> int:
        return len(self.classes)

    def __getitems__(self, samples: Sequence[int]) -> Batch:
        order = np.asarray(samples)
        return Batch(
            torch.from_numpy(self.pictures[order])[:, None],
            torch.from_numpy(self.classes[order]), list(samples),
        )  # fmt: skip


def outlined_data(
    index: Index, rows: dict[str, list[Row]], classes: dict[str, Array],
    preprocessing: Preprocessing, outlines: str, *, background: int, painted: float, seed: int,
) -> dict[str, Outlined | Checked]:  # fmt: skip
    """What is learned from pictures with outlines, and what that is checked on.

    Where no tumour trains painted out, none is painted out to check.
    """
    polygons = read_outlines(Path(outlines)) if outlines else {}
    shown = pictures(index, rows["train"], preprocessing)
    drawn = masks(index, rows["train"], polygons, preprocessing)
    train = Outlined(
        shown, *drawn, classes["train"], background=background, painted=painted, seed=seed
    )
    val = checked_data(
        index, rows["val"], classes["val"], preprocessing, outlines if painted else "",
        background=background, seed=seed,
    )  # fmt: skip
    return {"train": train, "val": val}


def checked_data(
    index: Index, rows: list[Row], classes: Array, preprocessing: Preprocessing, outlines: str, *,
    background: int, seed: int,
) -> Checked:  # fmt: skip
    """Validation pictures at this preprocessing, and their healed versions."""
    polygons = read_outlines(Path(outlines)) if outlines else {}
    shown = pictures(index, rows, preprocessing)
    drawn, _ = masks(index, rows, polygons, preprocessing)
    return Checked(shown, drawn, classes, background=background, seed=seed)
