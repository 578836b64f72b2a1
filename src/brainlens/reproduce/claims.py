"""Owns what a recipe's document published: its `[published]` table, checked."""

from __future__ import annotations

from dataclasses import dataclass

from brainlens.core.config import resolve
from brainlens.core.errors import ConfigError
from brainlens.recipes import read_published


@dataclass(frozen=True)
class Claim:
    """What a document says of its classifier, and what was chosen where it says two things."""

    document: str
    figure: str  # what its figure is, in words
    seed_protocol: str  # a row of protocols.PROTOCOLS
    clean_protocol: str  # another
    accuracy: float | None = None  # 0..1; None where it prints none
    images: int = 0  # of its own set; 0 where it does not say
    stand_in: str = ""  # what here stands for a part that is not there yet
    chose: tuple[str, ...] = ()


def read_claim(recipe: str) -> Claim:
    """The claim of a recipe; raises ConfigError for a recipe that reproduces nothing."""
    table = read_published(recipe)
    if not table:
        raise ConfigError(
            f"recipe {recipe}: reproduces no document (it has no [published] table). Use it with "
            f"brainlens train --recipe {recipe}"
        )
    return resolve(Claim, table)
