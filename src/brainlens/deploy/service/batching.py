"""Owns micro-batching: slices of concurrent requests go through the model together.

Each lane is a thread that runs the model on one core. A lane that is free takes its share of what
waits, up to a batch: nobody waits for a batch to fill, and batches grow by themselves as load does.
Lanes of one core each need not wait for one another within the network, as threads that share a
batch do: whatever else the server does on a core then holds up one lane, not all of them.
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
        self, judge: Judge, size: int, lanes: int = 1, *,
        done: Callable[[int, float], None] | None = None,
    ) -> None:  # fmt: skip
        """`judge` is called by as many threads as there are lanes, each with at most `size` slices.

        `done` is told the slices and seconds of every batch.
        """
        self._judge, self._size, self._done = judge, size, done
        self._waiting: list[_Job] = []
        self._more = asyncio.Event()
        self._free = lanes
        self._threads = ThreadPoolExecutor(lanes, "model")
        self._batches: set[asyncio.Task[None]] = set()
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
        """Stop once nothing waits and every lane is done."""
        while self._waiting or self._batches:
            await asyncio.sleep(0.01)
        if self._task is not None:
            self._task.cancel()
        self._threads.shutdown(wait=True)

    async def _work(self) -> None:
        """Give each lane that is free a batch."""
        while True:
            await self._more.wait()
            batch = self._take() if self._free else []
            if not batch:
                self._more.clear()  # set again by what comes, and by a lane that ends
                continue
            self._free -= 1
            task = asyncio.create_task(self._run(batch))
            self._batches.add(task)
            task.add_done_callback(self._batches.discard)

    async def _run(self, batch: list[_Job]) -> None:
        """One batch in one lane."""
        start = time.perf_counter()
        planes, coverage = [job.plane for job in batch], batch[0].coverage
        run = asyncio.get_running_loop().run_in_executor
        try:
            answers = await run(self._threads, self._judge, planes, coverage)
        except Exception as error:  # handed on to those who asked
            for job in batch:
                if not job.answer.done():
                    job.answer.set_exception(error)
        else:
            for job, answer in zip(batch, answers, strict=True):
                if not job.answer.done():
                    job.answer.set_result(answer)
            if self._done:
                self._done(len(batch), time.perf_counter() - start)
        finally:
            self._free += 1
            self._more.set()

    def _take(self) -> list[_Job]:
        """The next batch: a free lane's share of one coverage, first come, first served."""
        alive = [job for job in self._waiting if not job.answer.done()]
        most = min(self._size, -(-len(alive) // self._free))
        same = [job for job in alive if job.coverage == alive[0].coverage][:most]
        taken = set(map(id, same))
        self._waiting = [job for job in alive if id(job) not in taken]
        return same
