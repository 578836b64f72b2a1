"""Owns the kinds of generators: for each, its loop, its network, how it settles and draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from brainlens.generative import dcgan, diffusion
from brainlens.generative.diffusionloop import DiffusionLoop
from brainlens.generative.ganloop import GanLoop
from brainlens.generative.generatorloop import GeneratorLoop


def _keep(network: nn.Module) -> None:
    """Nothing to settle: group norm has no statistics."""
    network.eval()


@dataclass(frozen=True)
class Family:
    """One kind."""

    loop: Callable[..., GeneratorLoop]  # of settings, pictures, classes and their number
    network: Callable[..., nn.Module]  # of settings and the number of classes
    settle: Callable[[Any], None]  # before a network of other weights draws
    draw: Callable[..., Tensor]  # of a network, seeds and classes: (N, size, size) uint8


FAMILIES = {
    "dcgan": Family(GanLoop, dcgan.Generator, dcgan.settle, dcgan.draw),
    "diffusion": Family(DiffusionLoop, diffusion.Denoiser, _keep, diffusion.draw),
}
