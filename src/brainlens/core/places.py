"""Owns where things lie outside the package: shared folder, pretrained weights, cache."""

from __future__ import annotations

import os
from pathlib import Path

from brainlens.core.errors import UserError


def shared_folder() -> Path | None:
    """`$BRAINLENS_SHARED`, else `../shared` of a source checkout; None where there is none."""
    if named := _named("BRAINLENS_SHARED"):
        return named
    beside = Path(__file__).resolve().parents[4] / "shared"
    return beside if beside.is_dir() else None


def weights_folder() -> Path | None:
    """`$BRAINLENS_WEIGHTS`, else `weights/` of the shared folder; None where there is none."""
    if named := _named("BRAINLENS_WEIGHTS"):
        return named
    shared = shared_folder()
    return shared / "weights" if shared and (shared / "weights").is_dir() else None


def cache_folder() -> Path:
    """`$BRAINLENS_CACHE`, else the user's cache folder; not created here."""
    named = os.environ.get("BRAINLENS_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "brainlens"


def _named(variable: str) -> Path | None:
    """The folder that a variable names; raises UserError where it is not there."""
    named = os.environ.get(variable)
    if named and not Path(named).is_dir():
        raise UserError(f"{variable}={named}: no such folder. Unset it or correct it")
    return Path(named) if named else None
