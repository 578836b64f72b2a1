"""Owns what the processors of this process are: how many, and in which number format they work."""

from __future__ import annotations

import os
from typing import Literal

Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def choose_precision(wanted: Precision, device: str) -> Precision:
    """bf16 where the hardware has it, else fp32: emulated bf16 is many times slower."""
    if wanted != "auto":
        return wanted
    if device != "cuda":
        return "bf16-mixed" if multiplies_bf16() else "32-true"
    import torch

    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"


def multiplies_bf16() -> bool:
    """Whether the processor multiplies bf16 itself."""
    return _has("avx512_bf16", "amx_bf16")


def matrix_tiles() -> bool:
    """Whether the processor multiplies tiles of bf16 (AMX): several times as quick as fp32."""
    return _has("amx_bf16")


def _has(*flags: str) -> bool:
    """Whether Linux names one of the processor's flags so; elsewhere nobody says."""
    try:
        with open("/proc/cpuinfo") as stream:
            return any(flag in line for line in stream for flag in flags)
    except OSError:
        return False
