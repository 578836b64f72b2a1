"""Owns timing in turns: several ways of one task, so that a busy moment hits them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def clock_of(threads: int) -> tuple[str, Callable[[], float]]:
    """What times so many threads: of one the processor's time, which others cannot lengthen."""
    if threads == 1:
        return "1 thread, processor time", time.process_time
    return f"{threads} threads", time.perf_counter


def in_turn(
    ways: Mapping[str, Callable[[], object]], repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:  # fmt: skip
    """The median seconds of each way, one after the other, the first turn left out."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            start = clock()
            way()
            if turn:
                seconds[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
