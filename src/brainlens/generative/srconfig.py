"""Owns the settings of training a generator for super-resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from brainlens.core.errors import ConfigError
from brainlens.core.processors import Precision


@dataclass(frozen=True)
class SrConfig:
    """Flat: any of these can be set on the command line."""

    blocks: int = 6  # residual-in-residual dense blocks; the paper has 23
    features: int = 64
    growth: int = 32  # channels that each convolution of a dense block adds
    start: str = "esrgan"  # the default checkpoint, a weights file, or none
    shrink: Literal["kspace", "bicubic"] = "kspace"  # how sharp slices are made coarse
    damping: float = 1.0  # most of the k-space window drawn for a sample, 0 to 1
    noise: float = 0.02  # most of the noise's standard deviation drawn, white being 1
    patch: int = 96  # sharp pixels a side
    batch_size: int = 4
    images: int = 800  # at most so many training pictures, evenly chosen
    val_images: int = 12
    pixel_steps: int = 400  # with L1 alone
    gan_steps: int = 100  # then with perceptual and adversarial loss
    critic_steps: int = 0  # of them the first, in which only the critic learns
    every: int = 50  # steps between two looks at the validation pictures
    learning_rate: float = 2e-4
    gan_rate: float = 1e-4
    pixel_weight: float = 0.01  # of L1 beside the other two, as the paper
    perceptual_weight: float = 1.0
    adversarial_weight: float = 0.005
    alpha: float = 0.5  # of the GAN-trained weights in model.safetensors
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "auto"  # bf16 where the hardware has it


def check(config: SrConfig) -> None:
    """Refuse what cannot be trained."""
    for name in ("blocks", "features", "growth", "batch_size", "images", "val_images", "every"):
        if getattr(config, name) < 1:
            raise ConfigError(f"{name}={getattr(config, name)}: expected 1 or more")
    if config.patch % 4 or config.patch < 32:
        raise ConfigError(f"patch={config.patch}: expected a multiple of 4, at least 32")
    for name in ("pixel_steps", "gan_steps"):
        if getattr(config, name) % config.every:
            raise ConfigError(
                f"{name}={getattr(config, name)}: expected a multiple of every={config.every}"
            )
    if config.pixel_steps + config.gan_steps < 1:
        raise ConfigError("pixel_steps and gan_steps are both 0: expected some training")
    for name in ("alpha", "damping"):
        if not 0 <= getattr(config, name) <= 1:
            raise ConfigError(f"{name}={getattr(config, name)}: expected 0 to 1")
