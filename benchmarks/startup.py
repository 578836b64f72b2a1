"""How soon the command line answers: whole processes, against a bare interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any


def measure(quick: bool) -> list[dict[str, Any]]:
    """Seconds of `brainlens --help` and of `python -c pass`, in turn."""
    commands = {
        "ours": [sys.executable, "-m", "brainlens.cli", "--help"],
        "baseline": [sys.executable, "-c", "pass"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(2 if quick else 11):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    ours, bare = (statistics.median(seconds[name]) for name in ("ours", "baseline"))
    return [
        {
            "what": "brainlens --help against python -c pass",
            "ours": ours,
            "baseline": bare,
            "unit": "s",
            "ratio": ours / bare,
            "wanted": "ours < 0.3 s",
        }
    ]
