"""Owns the settings of training a diffusion model for few images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from brainlens.core.errors import ConfigError
from brainlens.generative.budget import GeneratorPrecision, check_budget

GROUPS = 8  # of group norm; widths are multiples of it
_LEAST = 8  # patches a side: the network halves the side twice


@dataclass(frozen=True)
class DiffusionConfig:
    """Flat; the defaults are a small network that a CPU can train."""

    network: Literal["diffusion"] = "diffusion"
    # pictures
    size: Literal[32, 64, 128, 256] = 64  # pixels a side
    channels: Literal[1, 3] = 1
    mirror: bool = True  # show every second picture left-right mirrored
    # network
    patch: Literal[1, 2, 4, 8] = 2  # pixels a side that the network sees as one, in its channels
    width: int = 64  # channels of the widest maps; those below have twice as many
    blocks: int = 1  # residual blocks a level
    conditional: bool = True  # on the class: one run serves several
    # diffusion
    noise_steps: int = 1000  # between a picture and noise
    draw_steps: int = 25  # of them that drawing takes; must divide them
    # optimisation
    epochs: int = 500  # passes over the training pictures
    images: int = 0  # instead of epochs: pictures shown in all
    batch_size: int = 32
    rate: float = 0.0005  # of Adam
    ema: float = 0.999  # decay a step of the mean weights, which draw
    # looks
    every: int = 250  # steps between two looks: losses, a grid, a checkpoint
    kid_images: int = 0  # real and generated pictures for the KID of a look; 0: no KID
    patience: int = 0  # looks without a better KID before stopping; 0: never
    # machine
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: GeneratorPrecision = "auto"  # bf16 on a GPU that has it and with AMX, else fp32


def check_diffusion(config: DiffusionConfig) -> None:
    """Refuse what cannot be trained."""
    check_budget(config)
    if config.width < GROUPS or config.width % GROUPS:
        raise ConfigError(f"width={config.width}: expected a multiple of {GROUPS}, as 64 or 32")
    if config.size // config.patch < _LEAST:
        raise ConfigError(
            f"patch={config.patch} leaves {config.size // config.patch} of {config.size} pixels a "
            f"side; expected at least {_LEAST}: take a smaller patch"
        )
    if config.blocks < 1:
        raise ConfigError(f"blocks={config.blocks}: expected 1 or more")
    if config.draw_steps < 1 or config.noise_steps % config.draw_steps:
        raise ConfigError(
            f"draw_steps={config.draw_steps}: expected a divisor of noise_steps="
            f"{config.noise_steps}, as {max(1, config.noise_steps // 40)}"
        )
    if not config.rate > 0:
        raise ConfigError(f"rate={config.rate}: expected above 0")
