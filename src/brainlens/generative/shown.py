"""Owns what a generator is shown: the same real pictures at step i in every run of a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from brainlens.core.seeding import generator
from brainlens.generative.synthconfig import Settings

Array = np.ndarray[Any, Any]


class Shown(Dataset[tuple[Tensor, Tensor]]):
    """The real pictures (B, C, H, W) in -1..1 and classes (B,) of steps `first` to `last`.

    Pass p shows every picture once, in an order of its own; a batch may end one pass and begin the
    next. Several classes are shown equally often.
    """

    def __init__(
        self, pictures: Array, classes: Array, config: Settings, first: int, last: int
    ) -> None:
        self.pictures, self.classes, self.config = pictures, classes, config
        self.first, self.last = first, last
        self.orders: dict[int, Array] = {}

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        if place >= len(self):
            raise IndexError(place)
        step, size = self.first + place, self.config.batch_size
        chosen = [self._sample(number) for number in range(step * size, (step + 1) * size)]
        real = torch.from_numpy(self.pictures[chosen].astype(np.float32) / 127.5 - 1)[:, None]
        if self.config.mirror:
            turned = generator(self.config.seed, "mirror", step).random(size) < 0.5
            real = torch.where(torch.from_numpy(turned)[:, None, None, None], real.flip(3), real)
        shape = (-1, self.config.channels, -1, -1)
        return real.expand(shape), torch.from_numpy(self.classes[chosen])

    def _sample(self, number: int) -> int:
        """Which picture is the `number`-th to be shown."""
        turn, place = divmod(number, len(self.pictures))
        if turn not in self.orders:
            self.orders[turn] = self._order(turn)
        return int(self.orders[turn][place])

    def _order(self, turn: int) -> Array:
        draw = generator(self.config.seed, "order", turn)
        kinds = np.unique(self.classes)
        if len(kinds) == 1:
            return draw.permutation(len(self.pictures))
        share = -(-len(self.pictures) // len(kinds))
        each = [
            np.resize(draw.permutation(np.flatnonzero(self.classes == kind)), share)
            for kind in kinds
        ]
        return np.stack(each, 1).ravel()[: len(self.pictures)]
