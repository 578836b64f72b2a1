"""Owns one finding of the doctor: what was looked at, how it stands, what mends it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any, Literal

# ok; note: works, but read it; missing: something asks for it, most do not; wrong: must be mended
State = Literal["ok", "note", "missing", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One line of the table."""

    part: str  # the heading it stands under
    name: str
    state: State
    got: str
    mend: str = ""  # a command, or what to do; "" where nothing is to be done
    values: dict[str, Any] = field(default_factory=dict)  # for programs: numbers, paths


def pip(what: str) -> str:
    """The pip command of this very Python."""
    return f"{sys.executable} -m pip install {what}"


def size(count: float) -> str:
    """Bytes as people say them: `820 B`, `12.4 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
