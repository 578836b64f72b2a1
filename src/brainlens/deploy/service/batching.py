"""Owns micro-batching: slices of concurrent requests go through the model together.

One thread runs the model. Whenever it is free it takes all that waits, up to a batch: nobody waits
for a batch to fill, and batches grow by themselves as load does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from brainlens.deploy.service.planes import Plane
from brainlens.deploy.service.sight import Seen

Judge = Callable[[Sequence[Plane], float], list[Seen]]


@dataclass(frozen=True)
class _Job:
    plane: Plane
    coverage: float
    answer: asyncio.Future[Seen]


class Batcher:
    """The one way to the model."""

    def __init__(
        self, judge: Judge, size: int, *, done: Callable[[int, float], None] | None = None
    ) -> None:
        """`done` is told the slices and seconds of every batch."""
        self._judge, self._size, self._done = judge, size, done
        self._waiting: list[_Job] = []
        self._more = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "model")
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Slices that wait."""
        return len(self._waiting)

    async def judge(self, planes: Sequence[Plane], coverage: float) -> list[Seen]:
        """What the model sees in each plane, in their order."""
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="batches")
        loop = asyncio.get_running_loop()
        jobs = [_Job(plane, coverage, loop.create_future()) for plane in planes]
        self._waiting += jobs
        self._more.set()
        try:
            return list(await asyncio.gather(*(job.answer for job in jobs)))
        except asyncio.CancelledError:
            self._waiting = [job for job in self._waiting if not job.answer.cancelled()]
            raise

    async def close(self) -> None:
        """Stop once nothing waits."""
        while self._waiting:
            await asyncio.sleep(0.01)
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown(wait=True)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._more.wait()
            batch = self._take()
            if not batch:
                self._more.clear()
                continue
            start = time.perf_counter()
            planes, coverage = [job.plane for job in batch], batch[0].coverage
            try:
                answers = await loop.run_in_executor(self._thread, self._judge, planes, coverage)
            except Exception as error:  # handed on to those who asked
                for job in batch:
                    if not job.answer.done():
                        job.answer.set_exception(error)
                continue
            for job, answer in zip(batch, answers, strict=True):
                if not job.answer.done():
                    job.answer.set_result(answer)
            if self._done:
                self._done(len(batch), time.perf_counter() - start)

    def _take(self) -> list[_Job]:
        """The next batch: all of one coverage, first come, first served."""
        alive = [job for job in self._waiting if not job.answer.done()]
        same = [job for job in alive if job.coverage == alive[0].coverage][: self._size]
        taken = set(map(id, same))
        self._waiting = [job for job in alive if id(job) not in taken]
        return same
