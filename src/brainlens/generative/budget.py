"""Owns what all generators' settings share: how long to train, when to look, number format."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from brainlens.core.errors import ConfigError
from brainlens.core.processors import matrix_tiles

GeneratorPrecision: TypeAlias = Literal["auto", "32-true", "bf16-mixed"]


class Budget(Protocol):
    """Settings of any generator."""

    @property
    def epochs(self) -> int: ...
    @property
    def images(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def every(self) -> int: ...
    @property
    def ema(self) -> float: ...
    @property
    def kid_images(self) -> int: ...
    @property
    def patience(self) -> int: ...


def check_budget(config: Budget) -> None:
    """Refuse what cannot be trained."""
    for name in ("batch_size", "every"):
        if getattr(config, name) < 1:
            raise ConfigError(f"{name}={getattr(config, name)}: expected 1 or more")
    if config.epochs < 1 and config.images < 1:
        raise ConfigError("epochs and images are both 0: expected some training")
    if not 0 <= config.ema < 1:
        raise ConfigError(f"ema={config.ema}: expected 0 to below 1")
    if config.patience and not config.kid_images:
        raise ConfigError(f"patience={config.patience} needs a KID: set kid_images, as 128")
    if config.kid_images == 1:
        raise ConfigError("kid_images=1: a KID needs at least 2 pictures; 128 are sensible")


def steps_of(config: Budget, pictures: int) -> int:
    """How many steps a run has."""
    shown = config.images or config.epochs * pictures
    return max(1, shown // config.batch_size)


def number_format(wanted: GeneratorPrecision, device: str) -> str:
    """What Lightning trains in. bf16 without AMX is slower than fp32 on these convolutions."""
    import torch

    if wanted != "auto":
        return wanted
    quick = torch.cuda.is_bf16_supported() if device == "cuda" else matrix_tiles()
    return "bf16-mixed" if quick else "32-true"
