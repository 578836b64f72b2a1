"""Owns which settings a generator has: tables in, the settings of its kind of network out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from brainlens.core.config import resolve
from brainlens.core.errors import ConfigError, nearest
from brainlens.generative.diffusionconfig import DiffusionConfig, check_diffusion
from brainlens.generative.ganconfig import GanConfig, check

Settings: TypeAlias = GanConfig | DiffusionConfig
CONFIGS: dict[str, type[Settings]] = {"dcgan": GanConfig, "diffusion": DiffusionConfig}
CHECKS: dict[str, Callable[[Any], None]] = {"dcgan": check, "diffusion": check_diffusion}


def settings(*tables: Mapping[str, Any]) -> Settings:
    """The settings of the network that the last table to name one names; DCGAN's else."""
    named = [table["network"] for table in tables if "network" in table]
    name = str(named[-1]) if named else "dcgan"
    if name not in CONFIGS:
        raise ConfigError(f"network={name!r}: {nearest(name, CONFIGS)}")
    return resolve(CONFIGS[name], *tables, {"network": name})


def check_settings(config: Settings) -> None:
    """Refuse what cannot be trained."""
    CHECKS[config.network](config)
