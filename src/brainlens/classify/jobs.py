"""Owns what heads are to be trained, and which of them fit one tensor.

Enters: settings, one set a head, and the names of what they learn from. Leaves: blocks of heads,
each a rectangle of S streams (features and seed) by V variants (numbers, activation, optimizer).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from brainlens.classify.config import TrainConfig
from brainlens.classify.network import Architecture
from brainlens.data.preprocess import Array

# Settings that may differ between heads of one tensor; any other makes another block.
VARIANTS = ("dropout", "learning_rate", "weight_decay", "momentum", "optimizer", "activation")
STREAMS = ("seed", "augment", "views")
# Heads of one tensor: the more, the fewer calls a head. Spread over workers each needs its share.
TOGETHER, SPREAD = 100, 24


@dataclass(frozen=True)
class Material:
    """Features that heads learn from: views of (N, D), and (M, D) to choose the epoch on."""

    train: tuple[Array, ...]
    classes: Array  # (N,)
    val: Array
    val_classes: Array  # (M,)


@dataclass(frozen=True)
class Job:
    """One head to train: its settings, its shape, and the name of its material."""

    config: TrainConfig
    architecture: Architecture
    material: str


def blocks(jobs: Sequence[Job], *, spread: bool = False) -> list[list[int]]:
    """The jobs' numbers, in blocks that one tensor can hold, each streams x variants.

    Smaller ones where they are to `spread` over workers.
    """
    together = SPREAD if spread else TOGETHER
    kinds: dict[str, dict[tuple[Hashable, ...], dict[tuple[str, int], int]]] = {}
    for number, job in enumerate(jobs):
        free = {name: None for name in (*VARIANTS, *STREAMS)}
        kind = repr(({**dataclasses.asdict(job.config), **free}, _shape(job.architecture)))
        variant: tuple[Hashable, ...] = tuple(getattr(job.config, name) for name in VARIANTS)
        stream = (job.material, job.config.seed)
        while stream in kinds.setdefault(kind, {}).setdefault(variant, {}):
            variant = (*variant, "again")  # the same head asked for twice
        kinds[kind][variant][stream] = number
    found: dict[Hashable, list[list[int]]] = {}
    for kind, variants in kinds.items():
        for streams in variants.values():
            key = (kind, tuple(sorted(streams)))
            found.setdefault(key, []).append([streams[s] for s in sorted(streams)])
    for group in found.values():  # neighbours of one activation go through it in one call
        group.sort(key=lambda numbers: jobs[numbers[0]].architecture.activation)
    return [
        [n for numbers in zip(*part, strict=True) for n in numbers]
        for group in found.values()
        for part in _parts(group, max(1, together // len(group[0])))
    ]


def _parts(group: list[list[int]], most: int) -> list[list[list[int]]]:
    """The variants in parts of about equal size, none larger than `most`."""
    count = -(-len(group) // most)
    return [group[i * len(group) // count : (i + 1) * len(group) // count] for i in range(count)]


def _shape(architecture: Architecture) -> Architecture:
    return dataclasses.replace(architecture, dropout=0.0, activation="")
