"""Owns the training of a diffusion model: what one step does. Lightning drives.

The loss is the squared error of the velocity. The noise steps of a batch are spread evenly over
the schedule, each at random within its share (Kingma et al. 2021, arXiv 2107.00630).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from brainlens.generative.diffusion import Denoiser, noising
from brainlens.generative.diffusionconfig import DiffusionConfig
from brainlens.generative.generatorloop import GeneratorLoop

Array = np.ndarray[Any, Any]


class DiffusionLoop(GeneratorLoop):
    """A denoiser; final."""

    figure_names = ("loss",)

    def __init__(
        self, config: DiffusionConfig, pictures: Array, classes: Array, kinds: int
    ) -> None:
        super().__init__(config, pictures, classes, kinds, Denoiser(config, kinds))
        self.schedule = noising(config)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.generator.parameters(), self.config.rate)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        real, labels = batch
        optimizer = self.optimizers()
        draw = self.draws()
        steps = noise_steps(len(real), self.config.noise_steps, draw).to(real.device)
        noise = torch.randn(real.shape, generator=draw).to(real)
        noisy = self.schedule.add_noise(real, noise, steps)
        wanted = self.schedule.get_velocity(real, noise, steps)
        loss = F.mse_loss(self.generator(noisy, steps, labels), wanted)
        optimizer.zero_grad()  # type: ignore[union-attr]
        self.manual_backward(loss)
        optimizer.step()  # type: ignore[union-attr]
        self.finish(loss=loss)

    def told(self, row: dict[str, Any]) -> str:
        return f"loss {row['loss']:.4f}"


def noise_steps(count: int, steps: int, draw: torch.Generator) -> Tensor:
    """(count,) whole numbers below `steps`, one of each share of them, in any order."""
    share = torch.randperm(count, generator=draw) + torch.rand(count, generator=draw)
    return (share / count * steps).long().clamp(max=steps - 1)
