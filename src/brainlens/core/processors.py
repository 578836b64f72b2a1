"""Owns what the processors of this process are: how many, and in which number format they work."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Literal

Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]


def cores() -> int:
    """Processors that this process may use; in a container no more than it was given time of."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(bound or 1, _quota()))


def threads_for(wanted: int) -> int:
    """Threads to tell a runtime; 0 leaves it to itself, which is right where the machine is ours.

    Else it would start a thread for each processor it sees, and they would wait for each other.
    """
    return wanted or (cores() if cores() < (os.cpu_count() or 1) else 0)


def keep_within() -> None:
    """The same for what counts processors when it is loaded: torch and NumPy. Call it before.

    The user's own OMP_NUM_THREADS stands.
    """
    if many := threads_for(0):
        os.environ.setdefault("OMP_NUM_THREADS", str(many))


def _quota(groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Processors whose time a container may take (`docker run --cpus`); very many without a limit.

    Linux tells it as microseconds in a period of so many, in one file or in two.
    """
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join((groups / name).read_text() for name in names).split()
            if int(quota) > 0:
                return math.ceil(int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return sys.maxsize


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
