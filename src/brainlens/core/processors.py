"""Owns what processors there are for this process, and what they can."""

from __future__ import annotations

import os


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def matrix_tiles() -> bool:
    """Whether the processor multiplies tiles of bf16 (AMX): several times as quick as fp32."""
    try:
        with open("/proc/cpuinfo") as stream:
            return any("amx_bf16" in line for line in stream)
    except OSError:
        return False
