"""Owns what all generators' settings share: how long to train, when to look, when to stop."""

from __future__ import annotations

from typing import Protocol

from brainlens.core.errors import ConfigError


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
