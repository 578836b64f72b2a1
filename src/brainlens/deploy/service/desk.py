"""Owns the work of a server: an upload in, an acknowledged reading out. What lives, lives here."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from brainlens.deploy.service.album import Album
from brainlens.deploy.service.batching import Batcher
from brainlens.deploy.service.database import open_database
from brainlens.deploy.service.enhancing import Enhancer
from brainlens.deploy.service.gauges import Gauges
from brainlens.deploy.service.history import History
from brainlens.deploy.service.planes import Plane
from brainlens.deploy.service.readings import (
    Document,
    in_context,
    new_id,
    reading_document,
)
from brainlens.deploy.service.record import read_record
from brainlens.deploy.service.refusals import Refusal, too_long
from brainlens.deploy.service.settings import Settings
from brainlens.deploy.service.sight import Seen, Sight
from brainlens.deploy.service.uploads import Upload, read_upload

T = TypeVar("T")
_LEFT = 3600  # seconds after which work in progress is nobody's any more


class Desk:
    """The model, the history and the threads between them."""

    def __init__(self, settings: Settings) -> None:
        """Raises UserError where the model or the database cannot be used."""
        self.settings, self.gauges, limits = settings, Gauges(), settings.limits
        self.work = settings.folder / "work"
        self.work.mkdir(parents=True, exist_ok=True)
        _clear(self.work)
        self.sight = Sight(settings.model)
        self.record = read_record(settings.model, settings.evaluation)
        self.enhancer = Enhancer(settings.upscaler, settings.stylist, limits)
        self.album = Album(
            limits.album, settings.folder / "images" if settings.keep_images else None
        )
        engine = open_database(settings.database, settings.folder)
        self.history = History(engine, settings.audit_key)
        self._batcher = Batcher(
            self.sight.judge, limits.batch, limits.lanes, done=self.gauges.batch_done
        )
        self._step = limits.batch * limits.lanes  # of a long upload: others come in between
        self.gauges.waiting = lambda: self._batcher.waiting
        self._readers = ThreadPoolExecutor(limits.lanes, "reader")
        self._painter = ThreadPoolExecutor(1, "painter")

    async def read(self, files: Sequence[tuple[str, BinaryIO]]) -> Upload:
        """The planes of an upload."""
        return await self._in(self._readers, read_upload, files, self.work, self.settings.limits)

    async def judge(
        self, upload: Upload, *, reader: str, who: str, coverage: float
    ) -> AsyncIterator[Document]:
        """Progress as it comes, then the reading; the last is in the history when it comes."""
        start, name, step = time.perf_counter(), new_id(), self._step
        planes, seen = upload.planes, list[Seen]()
        for first in range(0, len(planes), step):
            seen += await self._batcher.judge(planes[first : first + step], coverage)
            if len(planes) > step:
                yield {"progress": {"done": len(seen), "of": len(planes)}}
        seen = in_context(planes, seen, self.sight, coverage)
        document = reading_document(
            planes, seen, upload.refused, self.sight, id=name, reader=reader, coverage=coverage,
            digest=upload.digest, seconds=round(time.perf_counter() - start, 4),
        )  # fmt: skip
        self.gauges.refused(sum(bool(one.finding.refusal) for one in seen))
        await self._keep(name, planes)
        written = await self.ask(self.history.keep, document, who)
        entry = await asyncio.wrap_future(written)
        yield {"reading": document | {"entry": entry}}

    async def reading(self, name: str) -> Document:
        """A reading of the history; raises Refusal."""
        found = await self.ask(self.history.reading, name)
        if found is None:
            raise Refusal("not-found", f"reading {name}: is not in this server's history")
        return found

    async def ask(self, function: Callable[..., T], *arguments: Any) -> T:
        """A question to the database, or other short work, off the event loop."""
        return await asyncio.to_thread(function, *arguments)

    async def paint(self, function: Callable[[], T]) -> T:
        """Long work on one picture: one at a time; raises Refusal for what waits too long."""
        seconds = self.settings.limits.work_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._in(self._painter, function)
        except TimeoutError:
            raise too_long(seconds) from None

    async def close(self) -> None:
        """Finish what was accepted, then let go."""
        await self._batcher.close()
        await asyncio.to_thread(self.history.close)
        for pool in (self._readers, self._painter):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _keep(self, name: str, planes: Sequence[Plane]) -> None:
        if self.settings.keep_images:
            await asyncio.to_thread(self.album.keep, name, planes)
        else:
            self.album.keep(name, planes)

    async def _in(self, pool: ThreadPoolExecutor, function: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, function, *arguments)


def _clear(work: Path) -> None:
    """Remove what a killed server left: scans may name patients. What is at work now is young."""
    for path in work.iterdir():
        if time.time() - path.stat().st_mtime > _LEFT:
            shutil.rmtree(path, ignore_errors=True)
