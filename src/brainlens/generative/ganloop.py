"""Owns the training of a DCGAN: what one step does. Lightning drives.

Losses: binary cross-entropy, non-saturating (Goodfellow et al. 2014), the critic's halved as its
two parts are averaged. Step i shows the same pictures, noise and changes in every run of a seed,
so a run that was stopped goes on exactly.
"""

from __future__ import annotations

import copy
import time
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from brainlens.core.seeding import derive, generator
from brainlens.generative.dcgan import Critic, Generator
from brainlens.generative.diffaugment import diffaugment
from brainlens.generative.ganconfig import GanConfig

Array = np.ndarray[Any, Any]


class Shown(Dataset[tuple[Tensor, Tensor]]):
    """The real pictures (B, C, H, W) in -1..1 and classes (B,) of steps `first` to `last`.

    Pass p shows every picture once, in an order of its own; a batch may end one pass and begin the
    next. Several classes are shown equally often.
    """

    def __init__(
        self, pictures: Array, classes: Array, config: GanConfig, first: int, last: int
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


class GanLoop(pl.LightningModule):
    """One run, `every` steps an epoch of Lightning's; final."""

    def __init__(self, config: GanConfig, pictures: Array, classes: Array, kinds: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.config, self.pictures, self.classes = config, pictures, classes
        self.generator, self.critic = Generator(config, kinds), Critic(config, kinds)
        self.kinds = kinds
        self.mean = copy.deepcopy(self.generator) if config.ema else None
        self.steps = steps_of(config, len(pictures))
        self.done = 0  # steps
        self.totals: dict[str, float] = {}
        self.clock, self.seconds = time.monotonic(), 0.0

    @property
    def chosen(self) -> Generator:
        """The generator to draw with: the mean of the weights where there is one."""
        return self.generator if self.mean is None else self.mean

    def train_dataloader(self) -> Any:
        """The epoch's own steps; Lightning asks anew each epoch."""
        first = self.current_epoch * self.config.every
        last = min(first + self.config.every, self.steps)
        shown = Shown(self.pictures, self.classes, self.config, first, last)
        return DataLoader(shown, batch_size=None, shuffle=False)

    def configure_optimizers(self) -> Any:
        config, betas = self.config, (self.config.beta1, 0.999)
        make = torch.optim.Adam(self.generator.parameters(), config.generator_rate, betas)
        judge = torch.optim.Adam(self.critic.parameters(), config.critic_rate, betas)
        return [make, judge]

    def on_train_epoch_start(self) -> None:
        self.done = self.current_epoch * self.config.every
        self.totals = {}
        self.generator.train()
        self.clock = time.monotonic()

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        real, labels = batch
        make, judge = self.optimizers()  # type: ignore[attr-defined]
        draw = torch.Generator().manual_seed(derive(self.config.seed, "step", self.done))
        noise = torch.rand(len(real), self.config.noise, generator=draw).to(real) * 2 - 1
        fake = self.generator(noise, labels)
        kinds = self.config.diffaugment
        # --- the critic
        of_real = self.critic(diffaugment(real, kinds, draw), labels)
        of_fake = self.critic(diffaugment(fake.detach(), kinds, draw), labels)
        told_real = F.binary_cross_entropy_with_logits(
            of_real, torch.full_like(of_real, self.config.real_target)
        )
        told = (told_real + F.softplus(of_fake).mean()) / 2
        judge.zero_grad()
        self.manual_backward(told)
        judge.step()
        # --- the generator; the critic's own gradients are not wanted here
        self.critic.requires_grad_(False)
        fooled = F.softplus(-self.critic(diffaugment(fake, kinds, draw), labels)).mean()
        make.zero_grad()
        self.manual_backward(fooled)
        self.critic.requires_grad_(True)
        make.step()
        self._follow()
        self.done += 1
        self._count("critic", told)
        self._count("generator", fooled)
        self._count("real_right", (of_real > 0).float().mean())
        self._count("fake_right", (of_fake < 0).float().mean())

    @torch.no_grad()
    def _follow(self) -> None:
        """The moving average, short at first so that the first weights are soon forgotten."""
        if self.mean is None:
            return
        decay = min(self.config.ema, (1 + self.done) / (10 + self.done))
        for kept, now in zip(self.mean.parameters(), self.generator.parameters(), strict=True):
            kept.lerp_(now, 1 - decay)

    def _count(self, name: str, value: Tensor) -> None:
        self.totals[name] = self.totals.get(name, 0.0) + float(value.detach())

    def figures(self) -> dict[str, float]:
        """The means over the steps since the last look, and how fast they went."""
        steps = self.done - self.current_epoch * self.config.every
        spent = time.monotonic() - self.clock
        self.seconds += spent
        means = {name: total / max(steps, 1) for name, total in self.totals.items()}
        return means | {"img_per_s": steps * self.config.batch_size / max(spent, 1e-9)}


def steps_of(config: GanConfig, pictures: int) -> int:
    """How many steps a run has."""
    shown = config.images or config.epochs * pictures
    return max(1, shown // config.batch_size)
