"""Owns the way from cached pictures to batches: order, classes in balance, processes.

Enters: (N, size, size) uint8 pictures and their classes. Leaves: batches of uint8 pictures,
classes and sample numbers. Order depends on (seed, epoch) alone, so a resumed run sees the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from brainlens.core.seeding import generator
from brainlens.data.preprocess import Array


@dataclass(frozen=True)
class Batch:
    """Pictures (N, 1, H, W) uint8, classes (N,), and their numbers in the data set.

    With outlines a second channel is 255 inside them, and `outlined` (N,) says who has one.
    """

    pictures: Tensor
    classes: Tensor
    samples: list[int]
    outlined: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        known = None if self.outlined is None else self.outlined.to(device)
        return Batch(self.pictures.to(device), self.classes.to(device), self.samples, known)


class Pictures(Dataset[Batch]):
    """Cached pictures and their classes, read a batch at a time."""

    def __init__(self, pictures: Array, classes: Array) -> None:
        self.pictures, self.classes = pictures, classes

    def __len__(self) -> int:
        return len(self.classes)

    def __getitems__(self, samples: Sequence[int]) -> Batch:
        order = np.asarray(samples)
        pictures = torch.from_numpy(np.ascontiguousarray(self.pictures[order]))[:, None]
        return Batch(pictures, torch.from_numpy(self.classes[order]), order.tolist())


class EpochOrder(Sampler[list[int]]):
    """The batches of one epoch for one of several processes.

    In training (`even`) every process takes equally many steps, or they would wait for each other
    for ever, and no batch is one image alone, of which batch norm can learn nothing.
    """

    def __init__(
        self, order: Array, batch_size: int, rank: int = 0, processes: int = 1, *, even: bool = True
    ) -> None:
        usable = len(order) - len(order) % processes if even else len(order)
        own = order[:usable][rank::processes]
        starts = range(0, len(own), batch_size)
        self.batches = [own[start : start + batch_size].tolist() for start in starts]
        if even and min(batch_size, len(self.batches)) > 1 and len(self.batches[-1]) == 1:
            alone = self.batches.pop()
            self.batches[-1] += alone

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def epoch_order(classes: Array, *, seed: int, epoch: int, balanced: bool) -> Array:
    """A shuffle of the samples; balanced: as many draws, every class equally likely."""
    draw = generator(seed, "order", epoch)
    if not balanced:
        return draw.permutation(len(classes))
    weight = 1 / np.bincount(classes)[classes]
    return draw.choice(len(classes), len(classes), p=weight / weight.sum())


def loader(data: Dataset[Batch], order: EpochOrder) -> DataLoader[Batch]:
    """Batches in this order; decoding is done already, so no worker processes."""
    return DataLoader(data, batch_sampler=order, collate_fn=lambda batch: batch)
