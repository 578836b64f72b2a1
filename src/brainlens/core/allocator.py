"""Owns how freed memory is treated: kept for the next step, on Linux with glibc."""

from __future__ import annotations

import ctypes
import platform
import sys

_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD, _M_MMAP_MAX = -3, -1, -4  # glibc's malloc.h


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the next step instead of returning it to the kernel.

    A training step frees and takes the same few hundred MB again; handing them back costs
    page faults at every step.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        libc.mallopt(_M_MMAP_MAX, 0)
