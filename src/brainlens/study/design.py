"""Owns the design file of a study: which settings vary, over which levels, in which rows.

    [design]   array = "L9" | "auto" | "factorial" | "random" (with runs = 20), replicates, response
    [factors]  a setting of `train` and its levels
    [arms]     named sets of settings; every row runs in each of them
    [settings] what all rows share
    [published] figures of a paper, shown beside ours

Enters: TOML, or a recipe's name. Leaves: a checked Design and the settings of each of its runs.
"""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from brainlens.classify.config import TrainConfig
from brainlens.core.config import coerce, read_toml, resolve
from brainlens.core.errors import ConfigError, nearest
from brainlens.data.preprocess import Array
from brainlens.recipes import recipe_text
from brainlens.study.arrays import factorial, orthogonal, sample, unbalanced_pairs
from brainlens.study.taguchi import Goal

Response = Literal["val_accuracy", "val_balanced_accuracy", "val_loss"]
RESERVED = ("seed", "device", "precision", "monitor")  # the study sets them itself
_TABLES = ("design", "factors", "arms", "settings", "published")


@dataclass(frozen=True)
class DesignConfig:
    """The [design] table."""

    array: str = "auto"  # L4 to L81, auto, factorial, random
    runs: int = 20  # of a random design
    replicates: int = 3  # seeds a row
    seed: int = 0  # of the first replicate, and of a random design
    response: Response = "val_accuracy"  # at the best epoch, which it also chooses
    goal: Literal["auto", "larger", "smaller", "nominal"] = "auto"
    pool: tuple[str, ...] = ()  # factors counted as error in the analysis of variance


@dataclass(frozen=True)
class Design:
    """A study's plan."""

    name: str
    config: DesignConfig
    array: str  # as found: L9(3^4), factorial, random
    factors: dict[str, tuple[Any, ...]]
    matrix: Array  # (rows, factors), levels from 0
    arms: dict[str, dict[str, Any]]
    settings: dict[str, Any]
    published: dict[str, Any] = field(default_factory=dict)

    @property
    def goal(self) -> Goal:
        """Whether more is better."""
        if self.config.goal != "auto":
            return self.config.goal
        return "smaller" if self.config.response == "val_loss" else "larger"

    def levels(self, row: int) -> dict[str, Any]:
        """The settings that row `row` tries."""
        return self.at([int(level) for level in self.matrix[row]])

    def at(self, levels: list[int]) -> dict[str, Any]:
        """The settings at these levels."""
        pairs = zip(self.factors.items(), levels, strict=True)
        return {name: values[level] for (name, values), level in pairs}

    def run(self, chosen: Mapping[str, Any], arm: str, seed: int) -> TrainConfig:
        """What trains at these factor settings, in this arm, from this seed."""
        own = {"seed": seed, "monitor": self.config.response}
        return resolve(TrainConfig, self.settings, self.arms[arm], chosen, own)


def read_design(source: str, *, replicates: int | None = None) -> Design:
    """Read a design file, or a recipe by name; raises ConfigError for what cannot be run."""
    path = Path(source)
    known = path.suffix == ".toml" or path.exists()
    table = read_toml(path) if known else tomllib.loads(recipe_text(source))
    design = parse_design(table, path.stem if known else source)
    if replicates is None:
        return design
    config = resolve(DesignConfig, dataclasses.asdict(design.config), {"replicates": replicates})
    _check_numbers(config)
    return dataclasses.replace(design, config=config)


def parse_design(table: Mapping[str, Any], name: str) -> Design:
    """The plan of a design's tables."""
    for key in table:
        if key not in _TABLES:
            raise ConfigError(f"{name}: unknown table [{key}]: {nearest(key, _TABLES)}")
    for key in _TABLES:
        if not isinstance(table.get(key, {}), dict):
            raise ConfigError(f"{name}: {key} = ...; expected a table [{key}]")
    config = resolve(DesignConfig, table.get("design", {}))
    _check_numbers(config)
    factors = _factors(table.get("factors", {}), name)
    arms = table.get("arms", {}) or {"all": {}}
    for arm, own in arms.items():
        if not isinstance(own, dict):
            raise ConfigError(
                f"{name}: arm {arm!r}: expected settings, as {arm} = {{ augment = 'light' }}"
            )
    counts = [len(levels) for levels in factors.values()]
    if config.array == "factorial":
        array, matrix = "factorial", factorial(counts)
    elif config.array == "random":
        array, matrix = "random", sample(counts, config.runs, config.seed)
    else:
        array, matrix = orthogonal(counts, config.array)
        assert not unbalanced_pairs(matrix), array
    strange = [factor for factor in config.pool if factor not in factors]
    if strange:
        raise ConfigError(f"pool: no factor {strange[0]!r}: {nearest(strange[0], factors)}")
    design = Design(
        name, config, array, factors, matrix, arms, dict(table.get("settings", {})),
        dict(table.get("published", {})),
    )  # fmt: skip
    _check_settings(design)
    return design


def _check_numbers(config: DesignConfig) -> None:
    if config.replicates < 1:
        raise ConfigError(
            f"replicates={config.replicates}: expected 1 or more; 3 and up give error bars"
        )


def _factors(table: Mapping[str, Any], name: str) -> dict[str, tuple[Any, ...]]:
    """The factors with their levels, each a value that its setting may have."""
    hints = typing.get_type_hints(TrainConfig)
    if not table:
        raise ConfigError(f"{name}: has no factors. Give some, as [factors] dropout = [0.4, 0.6]")
    found = {}
    for key, levels in table.items():
        if key in RESERVED:
            raise ConfigError(f"factor {key!r}: the study sets it itself. Leave it out")
        if key not in hints:
            raise ConfigError(f"unknown factor {key!r}: {nearest(key, hints)}")
        if not isinstance(levels, list) or len(levels) < 2:
            raise ConfigError(
                f"factor {key}: got {levels!r}; expected a list of two levels or more"
            )
        values = tuple(_level(key, level, hints[key]) for level in levels)
        if len(set(values)) < len(values):
            raise ConfigError(f"factor {key}: a level is listed twice in {levels!r}")
        found[key] = values
    return found


def _level(key: str, level: Any, hint: Any) -> Any:
    try:
        return coerce(key, level, hint)
    except ConfigError as error:
        raise ConfigError(f"factor {error}") from None


def _check_settings(design: Design) -> None:
    """Refuse now what would fail in the middle: every arm must make settings."""
    fixed = {"settings": design.settings, **{f"arm {k}": v for k, v in design.arms.items()}}
    for place, own in fixed.items():
        for key in own:
            if key in RESERVED:
                raise ConfigError(f"{place}: {key!r} is set by the study itself. Leave it out")
            if key in design.factors:
                raise ConfigError(f"{place}: {key!r} is a factor already. Leave it out of one")
    for arm in design.arms:
        design.run(design.levels(0), arm, design.config.seed)
