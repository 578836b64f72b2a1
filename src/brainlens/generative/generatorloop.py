"""Owns what the training of every generator shares: its looks, its figures, its mean weights.

Step i shows the same pictures, noise and changes in every run of a seed, so a run that was stopped
goes on exactly. Lightning drives; `every` steps are one epoch of its own.
"""

from __future__ import annotations

import copy
import time
from abc import abstractmethod
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from brainlens.core.seeding import derive
from brainlens.generative.budget import steps_of
from brainlens.generative.shown import Shown

Array = np.ndarray[Any, Any]


class GeneratorLoop(pl.LightningModule):
    """One run; abstract: a kind of generator says what a step does."""

    figure_names: tuple[str, ...]  # that a look tells, beside its speed

    def __init__(
        self, config: Any, pictures: Array, classes: Array, kinds: int, generator: nn.Module
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.config, self.pictures, self.classes, self.kinds = config, pictures, classes, kinds
        self.generator = generator
        self.mean = copy.deepcopy(generator) if config.ema else None
        self.steps = steps_of(config, len(pictures))
        self.done = 0  # steps
        self.totals: dict[str, float] = {}
        self.clock, self.seconds = time.monotonic(), 0.0
        self.shown = 0  # pictures in those seconds: a resumed run begins at 0

    @abstractmethod
    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """One step, which counts its figures and ends with `finish`."""

    @abstractmethod
    def told(self, row: dict[str, Any]) -> str:
        """A look's figures in words."""

    @property
    def chosen(self) -> nn.Module:
        """The generator to draw with: the mean of the weights where there is one."""
        return self.generator if self.mean is None else self.mean

    def train_dataloader(self) -> Any:
        """The epoch's own steps; Lightning asks anew each epoch."""
        first = self.current_epoch * self.config.every
        last = min(first + self.config.every, self.steps)
        shown = Shown(self.pictures, self.classes, self.config, first, last)
        return DataLoader(shown, batch_size=None, shuffle=False)

    def on_train_epoch_start(self) -> None:
        self.done = self.current_epoch * self.config.every
        self.totals = {}
        self.generator.train()
        self.clock = time.monotonic()

    def draws(self) -> torch.Generator:
        """The random numbers of this step, whatever came before it."""
        return torch.Generator().manual_seed(derive(self.config.seed, "step", self.done))

    def finish(self, **figures: Tensor) -> None:
        """End a step: the mean weights follow, the figures are counted."""
        self._follow()
        self.done += 1
        for name, value in figures.items():
            self.totals[name] = self.totals.get(name, 0.0) + float(value.detach())

    @torch.no_grad()
    def _follow(self) -> None:
        """The moving average, short at first so that the first weights are soon forgotten."""
        if self.mean is None:
            return
        decay = min(self.config.ema, (1 + self.done) / (10 + self.done))
        for kept, now in zip(self.mean.parameters(), self.generator.parameters(), strict=True):
            kept.lerp_(now, 1 - decay)

    def figures(self) -> dict[str, float]:
        """The means over the steps since the last look, and how fast they went."""
        steps = self.done - self.current_epoch * self.config.every
        spent = time.monotonic() - self.clock
        self.seconds += spent
        self.shown += steps * self.config.batch_size
        means = {name: total / max(steps, 1) for name, total in self.totals.items()}
        return means | {"img_per_s": steps * self.config.batch_size / max(spent, 1e-9)}
