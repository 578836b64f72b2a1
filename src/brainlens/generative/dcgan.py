"""Owns the DCGAN of seed A (after Radford et al. 2016, arXiv 1511.06434): both networks.

Generator: noise to 8 x 8, then 5 x 5 transposed convolutions that double the side, and one that
does not, to tanh. Critic: five 5 x 5 convolutions and one logit. At 128 pixels and width 1024 they
are the published ones; another size has more or fewer doublings in the generator alone. Given
classes, the noise is joined by the class and the critic projects on it (Miyato and Koyama 2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from brainlens.core.seeding import generator as numbers
from brainlens.generative.ganconfig import GanConfig
from brainlens.generative.unrolled import Doubling, Windows

_START = 8  # pixels a side that the noise becomes
_SLOPE = 0.2  # of leaky ReLU
_SPREAD = (
    0.02  # of the first weights; drawn again beyond two of it, as TensorFlow's truncated normal
)


class Generator(nn.Module):
    """Noise (N, Z), and classes (N,) where it is conditional, to pictures; final."""

    def __init__(self, config: GanConfig, classes: int = 1) -> None:
        super().__init__()
        self.classes = classes if config.conditional else 0
        self.width, self.noise = config.width, config.noise
        self.dense = nn.Linear(config.noise + self.classes, config.width * _START**2)
        blocks: list[nn.Module] = []
        inputs = config.width
        for _ in range(round(math.log2(config.size / _START))):
            blocks += [Doubling(inputs, inputs // 2), nn.BatchNorm2d(inputs // 2)]
            blocks.append(nn.LeakyReLU(_SLOPE, inplace=True))
            inputs //= 2
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Conv2d(inputs, config.channels, 5, padding=2)
        self.apply(_initialise)

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.classes:
            assert labels is not None
            noise = torch.cat([noise, F.one_hot(labels, self.classes).to(noise.dtype)], 1)
        h = F.relu(self.dense(noise)).view(-1, self.width, _START, _START)  # (N, width, 8, 8)
        h = h.contiguous(memory_format=torch.channels_last)
        return torch.tanh(self.last(self.blocks(h)).float())  # (N, C, size, size)


class Critic(nn.Module):
    """Pictures (N, C, size, size), and classes where it is conditional, to logits (N,); final."""

    def __init__(self, config: GanConfig, classes: int = 1) -> None:
        super().__init__()
        spectral = config.critic_norm == "spectral"
        layers: list[nn.Module] = []
        inputs: int = config.channels
        for share, stride in ((16, 2), (8, 2), (4, 2), (2, 1), (1, 2)):
            outputs = config.width // share
            conv = Windows(inputs, outputs, stride)
            layers += [conv] if spectral else [conv, nn.BatchNorm2d(outputs)]
            layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.dense = nn.Linear(inputs * (config.size // 16) ** 2, 1)
        self.embed = nn.Embedding(classes, inputs) if config.conditional else None
        self.apply(_initialise)
        if spectral:
            for layer in self.layers:
                if isinstance(layer, nn.Conv2d):
                    spectral_norm(layer)
            spectral_norm(self.dense)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        h = self.layers(pictures.contiguous(memory_format=torch.channels_last))
        logits: Tensor = self.dense(h.flatten(1))[:, 0].float()  # (N,)
        if self.embed is not None:
            assert labels is not None
            logits = logits + (self.embed(labels) * h.mean((2, 3))).sum(1)
        return logits


def _initialise(layer: nn.Module) -> None:
    """Convolutions as published; dense layers as TensorFlow's default, Glorot's uniform."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.trunc_normal_(layer.weight, std=_SPREAD, a=-2 * _SPREAD, b=2 * _SPREAD)
        layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
    elif isinstance(layer, nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    if isinstance(layer, nn.Embedding):
        nn.init.zeros_(layer.weight)


def latents(seeds: Sequence[int], noise: int) -> Tensor:
    """(N, noise) in -1..1, Radford's uniform: each row of its own seed alone."""
    rows = [numbers("latent", seed).uniform(-1, 1, noise) for seed in seeds]
    return torch.from_numpy(np.array(rows, np.float32).reshape(-1, noise))


@torch.no_grad()
def settle(network: Generator, *, batches: int = 8, size: int = 64) -> None:
    """Give batch norm the statistics of its present weights, over fixed seeds.

    Means that trail through training belong to no weights at all, and to those of a moving average
    least.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
    network.train()
    device = network.dense.weight.device
    for batch in range(batches):
        seeds = range(-1 - batch * size, -1 - (batch + 1) * size, -1)
        labels = torch.arange(size, device=device) % max(network.classes, 1)
        network(latents(seeds, network.noise).to(device), labels)
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    network.eval()


@torch.no_grad()
def draw(network: Generator, seeds: Sequence[int], labels: Sequence[int] | None = None) -> Tensor:
    """(N, size, size) uint8 grey pictures, one at a time: none depends on its neighbours."""
    network.eval()
    device = network.dense.weight.device
    done = []
    for i, noise in enumerate(latents(seeds, network.noise)):
        label = torch.tensor([labels[i] if labels else 0], device=device)
        picture = network(noise[None].to(device), label)[0].mean(0)  # (size, size)
        done.append(((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu())
    return torch.stack(done) if done else torch.empty(0, 0, 0, dtype=torch.uint8)
