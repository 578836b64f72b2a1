"""Owns dealing work over processes: chunks of it in, their results out, in order.

For work of many small steps, which would wait for each other in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from brainlens.core.progress import say

A = TypeVar("A")
R = TypeVar("R")


def dealt(work: Callable[[A], R], chunks: Sequence[A], processes: int) -> Iterator[R]:
    """`work` of every chunk, in order; in this process where `processes` is 1.

    `work` must be a module's own function, and chunks, results and errors must survive pickling.
    """
    done = 0
    if processes > 1:
        try:
            for result in _in_processes(work, chunks, processes):
                done += 1
                yield result
            return
        except BrokenProcessPool:  # out of memory, or a script without a main guard
            say("the processes that shared the work died; going on in one")
    yield from map(work, chunks[done:])


def _in_processes(work: Callable[[A], R], chunks: Sequence[A], processes: int) -> Iterator[R]:
    import multiprocessing

    spawn = multiprocessing.get_context("spawn")  # a fork may freeze where threads run
    with ProcessPoolExecutor(processes, spawn, initializer=_start) as pool:
        try:
            yield from pool.map(work, chunks)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start() -> None:
    """The processes fill the cores, so their matrix products must not; Ctrl-C is the parent's."""
    import signal

    import cv2
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
    cv2.setNumThreads(1)
