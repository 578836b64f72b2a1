"""Owns the one look that the audit takes at a file: decoded once, for twins and quality alike.

Enters: an index. Leaves: for every distinct file its quality measures, what the shortcut check may
know, and its descriptor. What was seen is kept in the user's cache by the digest of the file
(look_store), so that a second audit decodes nothing. Every file is read, and must still be the one
that was indexed. New files are decoded in processes where there are cores, for the many small
steps of a look would wait for each other in threads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from brainlens.core.errors import ImageError, IndexFileError, UserError
from brainlens.core.images import open_image, own_grey, to_grey
from brainlens.core.processors import cores
from brainlens.core.progress import say, track
from brainlens.data import look_store
from brainlens.data.descriptor import FRAME, Array, Descriptors, describe, frame_of
from brainlens.data.descriptor import join as join_descriptors
from brainlens.data.index import Index, Row
from brainlens.data.measures import colourfulness, view
from brainlens.data.quality import CHECKS
from brainlens.data.shortcut import facts_of_view

FACTS = ("border", "mean", "std")  # of the shortcut check, what only the picture tells
COLUMNS = len(CHECKS) + len(FACTS)
CHUNK = 32  # files that one process looks at before it answers: their copies fit the cache
PARALLEL = 400  # new files for which starting processes pays
PROCESSES = 16  # at most


@dataclass(frozen=True)
class Looks:
    """What was seen of K distinct files."""

    measured: Array  # (K, COLUMNS) float64, as CHECKS, then as FACTS; nan: does not apply
    descriptors: Descriptors  # (K)

    def __len__(self) -> int:
        return len(self.measured)

    def measures(self, numbers: Sequence[int]) -> list[dict[str, float]]:
        """The quality measures of some looks, by flag."""
        values = self.measured.tolist()
        return [dict(zip(CHECKS, values[k], strict=False)) for k in numbers]

    def facts(self, numbers: Sequence[int]) -> list[dict[str, float]]:
        """What the shortcut check may know of some looks."""
        values = self.measured[:, len(CHECKS) :].tolist()
        return [dict(zip(FACTS, values[k], strict=True)) for k in numbers]


class Task(NamedTuple):
    """A file to look at, and what the index says of it."""

    path: str
    digest: str
    pixel_digest: str
    width: int
    height: int
    mode: str


def look_at(index: Index) -> tuple[Looks, list[int]]:
    """What is seen of the files of an index, and for each row the number of its look.

    Raises IndexFileError where a file has changed since it was indexed, ImageError where one can
    no longer be read.
    """
    first: dict[str, Row] = {}
    for row in index.rows:
        first.setdefault(row.digest, row)
    held, known = look_store.read(set(first))
    new = [row for digest, row in first.items() if digest not in known]
    fresh = {id(row) for row in new}
    _check_unchanged(index, [row for row in index.rows if id(row) not in fresh])
    parts = [Looks(*part) for part in held]
    place = dict(known)
    if new:
        start = sum(len(part) for part in parts)
        parts.append(_look_all([_task(index, row) for row in new]))
        place |= {row.digest: start + k for k, row in enumerate(new)}
        look_store.write([row.digest for row in new], parts[-1].measured, parts[-1].descriptors)
    return join(parts), [place[row.digest] for row in index.rows]


def described(index: Index) -> tuple[list[str], Descriptors]:
    """The distinct pixel digests of an index, in their order, and their descriptors."""
    looks, place = look_at(index)
    first: dict[str, int] = {}
    for row, look_of in zip(index.rows, place, strict=True):
        first.setdefault(row.pixel_digest, look_of)
    return list(first), looks.descriptors.take(np.array(list(first.values()), np.int64))


def join(parts: Sequence[Looks]) -> Looks:
    """Looks one after the other."""
    if len(parts) == 1:
        return parts[0]
    empty = Looks(np.empty((0, COLUMNS)), describe([]))
    parts = parts or [empty]
    return Looks(
        np.concatenate([part.measured for part in parts]),
        join_descriptors([part.descriptors for part in parts]),
    )


def look(tasks: Sequence[Task]) -> Looks:
    """Look at some files, one after the other."""
    frames = np.empty((len(tasks), FRAME, FRAME), np.uint8)
    views = []
    for k, task in enumerate(tasks):
        grey, colour = _picture(task)
        frames[k] = frame_of(grey)
        views.append(view(grey, width=task.width, height=task.height, colour=colour))
    facts = [facts_of_view(seen) for seen in views]
    columns = [check.measure(views) for check in CHECKS.values()]
    columns += [np.array([own[name] for own in facts]) for name in FACTS]
    return Looks(np.stack(columns, 1), describe(frames))


def _task(index: Index, row: Row) -> Task:
    return Task(str(index.file(row)), row.digest, row.pixel_digest, row.width, row.height, row.mode)


def _look_all(tasks: Sequence[Task]) -> Looks:
    """Look at all files, in processes where it pays."""
    chunks = [tasks[at : at + CHUNK] for at in range(0, len(tasks), CHUNK)]
    processes = min(cores(), PROCESSES, len(chunks)) if len(tasks) >= PARALLEL else 1
    if processes > 1:
        try:
            return join(_shown(_in_processes(chunks, processes), len(tasks)))
        except BrokenProcessPool:  # out of memory, or a script without a main guard
            say("the processes that look at the images died; starting again in one")
    return join(_shown((look(chunk) for chunk in chunks), len(tasks)))


def _shown(looks: Iterable[Looks], images: int) -> list[Looks]:
    """All looks, with progress by the image."""
    done: list[Looks] = []

    def each() -> Iterator[int]:
        for part in looks:
            done.append(part)
            yield from range(len(part))

    for _ in track(each(), "looking", images):
        pass
    return done


def _in_processes(chunks: Sequence[Sequence[Task]], processes: int) -> Iterator[Looks]:
    """Look at chunks in processes, in order; what fails there is tried again here."""
    import multiprocessing

    spawn = multiprocessing.get_context("spawn")  # a fork may freeze where threads run
    with ProcessPoolExecutor(processes, spawn, initializer=_start) as pool:
        try:
            for chunk, done in zip(chunks, pool.map(_look_quietly, chunks), strict=True):
                yield done or look(chunk)  # an error is raised where the user's terminal is
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _look_quietly(tasks: Sequence[Task]) -> Looks | None:
    """`look`, but None for an error: not every one of them survives the way between processes."""
    try:
        return look(tasks)
    except UserError:
        return None


def _start() -> None:
    """The processes fill the cores, so their matrix products must not; Ctrl-C is the parent's."""
    import signal

    import cv2
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
    cv2.setNumThreads(1)


def _check_unchanged(index: Index, rows: Sequence[Row]) -> None:
    """Files that are not decoded must still be those that were indexed, or the same picture."""

    def check(row: Row) -> None:
        task = _task(index, row)
        if hashlib.sha256(_bytes(task)).hexdigest() != row.digest:
            _picture(task)

    with ThreadPoolExecutor(cores()) as pool:
        try:
            for _ in track(pool.map(check, rows), "checking", len(rows)):
                pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _bytes(task: Task) -> bytes:
    try:
        return Path(task.path).read_bytes()
    except OSError as error:
        raise ImageError(task.path, error.strerror or "an error", "a readable file") from None


def _picture(task: Task) -> tuple[Array, float]:
    """A file's grey picture, which must be that of the index, and how coloured the file is."""
    data = _bytes(task)
    same = hashlib.sha256(data).hexdigest() == task.digest
    if same and task.mode == "L":
        grey = own_grey(data)
        if grey is not None and grey.shape == (task.height, task.width):
            return grey, 0.0
    image = open_image(data, name=task.path)
    grey = to_grey(image)
    if not same:  # other bytes may hold the same picture
        pixels = hashlib.sha256(f"{grey.shape}".encode() + grey.tobytes()).hexdigest()
        if pixels != task.pixel_digest:
            raise IndexFileError(
                f"{task.path}: is another picture than the one indexed. Index the folder again"
            )
    return grey, colourfulness(image)
