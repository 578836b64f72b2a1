"""Owns the settings of training a DCGAN, as published or for few images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from brainlens.core.errors import ConfigError
from brainlens.generative.budget import GeneratorPrecision, check_budget


@dataclass(frozen=True)
class GanConfig:
    """Flat; the defaults are seed A's DCGAN (its Table 2)."""

    network: Literal["dcgan"] = "dcgan"
    # pictures
    size: Literal[32, 64, 128, 256] = 128  # pixels a side; 64: one doubling fewer in the generator
    channels: Literal[1, 3] = 3
    mirror: bool = False  # show every second picture left-right mirrored
    diffaugment: tuple[str, ...] = ()  # of colour, shift, cutout; seen by the critic alone
    # networks
    noise: int = 100
    width: int = 1024  # channels of the widest maps; all others are shares of it
    conditional: bool = False  # on the class: one run serves several
    critic_norm: Literal["batch", "spectral"] = "batch"
    # optimisation
    epochs: int = 500  # passes over the training pictures
    images: int = 0  # instead of epochs: pictures shown in all
    batch_size: int = 64
    critic_rate: float = 0.00001
    generator_rate: float = 0.0004
    beta1: float = 0.5
    real_target: float = 1.0  # what the critic should say of a real picture; 0.9: smoothed
    ema: float = 0.0  # decay a step of the generator's mean weights; 0: none
    # looks
    every: int = 100  # steps between two looks: losses, a grid, a checkpoint
    kid_images: int = 0  # real and generated pictures for the KID of a look; 0: no KID
    patience: int = 0  # looks without a better KID before stopping; 0: never
    # machine
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: GeneratorPrecision = "auto"  # bf16 on a GPU that has it and with AMX, else fp32


def check(config: GanConfig) -> None:
    """Refuse what cannot be trained."""
    check_budget(config)
    if config.noise < 1:
        raise ConfigError(f"noise={config.noise}: expected 1 or more")
    if config.width < 16 or config.width % 16:
        raise ConfigError(f"width={config.width}: expected a multiple of 16, as 1024 or 256")
    if not 0 <= config.beta1 < 1:
        raise ConfigError(f"beta1={config.beta1}: expected 0 to below 1")
    if not 0.5 < config.real_target <= 1:
        raise ConfigError(f"real_target={config.real_target}: expected above 0.5, at most 1")
    strange = set(config.diffaugment) - set(KINDS)
    if strange:
        raise ConfigError(f"diffaugment has {min(strange)!r}; valid: {', '.join(KINDS)}")


KINDS = ("colour", "shift", "cutout")  # of DiffAugment
