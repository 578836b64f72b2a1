"""Owns progress: a bar on a terminal, a plain line every few seconds elsewhere; on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_QUIET_SECONDS = 10.0  # between plain lines, so that a log stays readable


def say(line: str) -> None:
    """One line to standard error: standard output carries results alone."""
    print(line, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Seconds as people say them: `42 s`, `3 min 05 s`, `2 h 07 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def track(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Yield `items`, showing how many of `total` are done and the time left."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=what, total=total, leave=False, file=sys.stderr)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items):
        yield item
        now = time.monotonic()
        if now - last >= _QUIET_SECONDS:
            left = (now - start) / (done + 1) * (total - done - 1)
            say(f"{what}: {done + 1} of {total}, {duration(left)} left")
            last = now
