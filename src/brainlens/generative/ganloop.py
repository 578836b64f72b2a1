"""Owns the training of a DCGAN: what one step does. Lightning drives.

Losses: binary cross-entropy, non-saturating (Goodfellow et al. 2014), the critic's halved as its
two parts are averaged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from brainlens.generative.dcgan import Critic, Generator
from brainlens.generative.diffaugment import diffaugment
from brainlens.generative.ganconfig import GanConfig
from brainlens.generative.generatorloop import GeneratorLoop

Array = np.ndarray[Any, Any]


class GanLoop(GeneratorLoop):
    """A generator and its critic, in turn; final."""

    figure_names = ("critic", "generator", "real_right", "fake_right")

    def __init__(self, config: GanConfig, pictures: Array, classes: Array, kinds: int) -> None:
        super().__init__(config, pictures, classes, kinds, Generator(config, kinds))
        self.critic = Critic(config, kinds)

    def configure_optimizers(self) -> Any:
        config, betas = self.config, (self.config.beta1, 0.999)
        make = torch.optim.Adam(self.generator.parameters(), config.generator_rate, betas)
        judge = torch.optim.Adam(self.critic.parameters(), config.critic_rate, betas)
        return [make, judge]

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        real, labels = batch
        make, judge = self.optimizers()  # type: ignore[attr-defined]
        draw = self.draws()
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
        self.finish(
            critic=told, generator=fooled, real_right=(of_real > 0).float().mean(),
            fake_right=(of_fake < 0).float().mean(),
        )  # fmt: skip

    def told(self, row: dict[str, Any]) -> str:
        return (
            f"critic {row['critic']:.3f}, generator {row['generator']:.3f}, right of real "
            f"{row['real_right']:.0%}, of drawn {row['fake_right']:.0%}"
        )
