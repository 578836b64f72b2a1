"""Owns the facts beside every figure: the command, the versions, the time."""

from __future__ import annotations

import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from brainlens import __version__

_PACKAGES = ("torch", "torchvision", "timm", "lightning", "numpy", "pillow", "scikit-learn")


def command_line() -> str:
    """The command as it was typed."""
    return shlex.join(["brainlens", *sys.argv[1:]])


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def versions() -> dict[str, str]:
    """Python's and the packages' versions, without importing them."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def provenance(kind: str, seed: int, started: str, seconds: float) -> dict[str, Any]:
    """The part of a result's provenance that is the same for all kinds."""
    return {
        "kind": kind,
        "command": command_line(),
        "brainlens": __version__,
        "versions": versions(),
        "seed": seed,
        "started": started,
        "finished": now(),
        "seconds": round(seconds, 1),
    }
