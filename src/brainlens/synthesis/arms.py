"""Owns the arms of a verdict: for each, the training features it adds for the class in question.

    none        nothing
    oversample  the class's own pictures again
    classic     the class's own pictures flipped and turned (seeds B and C)
    a generator its pictures

Every arm of a ratio adds equally many, so that class counts are the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from brainlens.classify import machine
from brainlens.classify.backbones import load_pretrained
from brainlens.classify.boundary import steps
from brainlens.classify.config import TrainConfig
from brainlens.classify.features import Extractor, extractor, features
from brainlens.classify.network import Classifier
from brainlens.classify.plan import plan, pretrained
from brainlens.core.errors import ConfigError, nearest
from brainlens.core.seeding import generator, seed_everything
from brainlens.data.index import Index, Row, read_index
from brainlens.data.preprocess import Array
from brainlens.generative.sampling import sample

PLAIN = ("none", "oversample", "classic")
CLASSIC = "flips"  # the policy of seeds B and C


def check_arms(arms: Sequence[str], runs: Mapping[str, Path], ratios: Sequence[float]) -> None:
    """Refuse arms that cannot be run."""
    for arm in arms:
        if arm not in PLAIN and arm not in runs:
            known = ", ".join((*PLAIN, *runs))
            raise ConfigError(
                f"arm {arm!r} needs a generator: give --run {arm}=RUN (see brainlens synth train). "
                f"Known: {known}"
            )
    for arm in runs:
        if arm not in arms:
            raise ConfigError(f"--run {arm}=...: no such arm among --arms: {nearest(arm, arms)}")
    if "none" not in arms or len(arms) < 2 or len(set(arms)) < len(arms):
        raise ConfigError("--arms: expected none and at least one other, each once")
    if not ratios or min(ratios) <= 0:
        raise ConfigError("--ratios: expected numbers above 0, for example 0.5,1,2")


def network_source(config: TrainConfig, classes: int) -> tuple[Extractor, str]:
    """The frozen backbone, and where its weights came from."""
    architecture, preprocessing = plan(config)
    seed_everything(config.seed, "init")
    network = Classifier(architecture, classes)
    source = load_pretrained(config.backbone, network.backbone) if pretrained(config) else "none"
    device = machine.choose_device(config.device)
    fixed = dataclasses.replace(config, precision="32-true")
    return extractor(network, len(steps(network)), preprocessing, fixed, device=device), source


def flat(values: Array) -> Array:
    """(N, D) in memory."""
    return np.array(values).reshape(len(values), -1)


class Arms:
    """The features that arms add for one class; final."""

    def __init__(
        self, source: Extractor, index: Index, label: str, runs: Mapping[str, Path], most: int,
        folder: Path, own: Array,
    ) -> None:  # fmt: skip
        self.source, self.index, self.label = source, index, label
        self.rows = [r for r in index.of("train") if r.label == label and r.origin == "real"]
        self.runs, self.most, self.folder = runs, most, folder
        self.own = own  # features of those rows
        self.kept: dict[str, Array] = {}
        self.made: dict[str, Index] = {}

    def added(self, arm: str, count: int) -> Array:
        """(count, D) features."""
        if arm not in self.kept:
            self.kept[arm] = self._all(arm)
        return self.kept[arm][:count]

    def _all(self, arm: str) -> Array:
        """As many as the largest ratio needs; a smaller one takes the first of them."""
        if arm == "oversample":
            return np.asarray(self.own[self._again()])
        if arm == "classic":
            views = -(-self.most // len(self.rows))
            seen = [
                flat(features(self.source, self.index, self.rows, policy=CLASSIC, view=view))
                for view in range(views)
            ]
            order = self._again()
            turn = np.arange(self.most) // len(self.rows)
            return np.stack([seen[t][k] for t, k in zip(turn, order, strict=True)])
        made = self._drawn(arm)
        return flat(features(self.source, made, made.rows))

    def _again(self) -> Array:
        """(most,) the class's pictures over and over, each pass in an order of its own."""
        passes = -(-self.most // len(self.rows))
        orders = [generator(0, "again", p).permutation(len(self.rows)) for p in range(passes)]
        return np.concatenate(orders)[: self.most]

    def _drawn(self, arm: str) -> Index:
        """A generator's pictures, drawn once."""
        path = sample(
            self.runs[arm], self.folder / arm, range(self.most), classes=[self.label],
            overwrite=True,
        )  # fmt: skip
        self.made[arm] = read_index(path)
        return self.made[arm]


def rows_by_split(index: Index) -> dict[str, list[Row]]:
    """The real rows of each split."""
    return {
        split: [row for row in index.of(split) if row.origin == "real"]
        for split in ("train", "val", "test")
    }
