"""Owns the words for the machine a figure was measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """The processor, whether it multiplies bf16 itself, its cores and the system."""
    text = Path("/proc/cpuinfo").read_text()
    cpu = next(
        (line.split(":")[1].strip() for line in text.splitlines() if "model name" in line), ""
    )
    return {
        "cpu": cpu,
        "bf16": "avx512_bf16" in text or "amx_bf16" in text,
        "cores": os.cpu_count(),
        "system": platform.platform(),
    }
