"""Owns the machine that torch runs on: its device and its description."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

from brainlens.core.errors import ConfigError
from brainlens.core.processors import cores


def choose_device(name: str = "auto") -> str:
    """`cuda` or `cpu`; raises ConfigError for a device that is not there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device=cuda: torch sees no GPU here. Use device=cpu or auto")
    return name


@contextmanager
def one_thread_each() -> Iterator[ThreadPoolExecutor]:
    """Workers, one a processor, whose torch calls stay in one thread: for much small work."""
    before = torch.get_num_threads()
    many = min(before, cores())
    try:
        with ThreadPoolExecutor(many, initializer=lambda: torch.set_num_threads(1)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)  # else threads begun later would start with the workers' 1


def describe(device: str, precision: str) -> dict[str, Any]:
    """What the figures were made on."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as stream:
            name = next(line.split(":")[1].strip() for line in stream if "model name" in line)
    except (OSError, StopIteration):
        pass
    if device == "cuda":
        name = f"{torch.cuda.get_device_name()} beside {name}"
    return {"cpu": name, "cores": os.cpu_count(), "device": device, "precision": precision}
