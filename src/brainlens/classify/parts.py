"""Owns features on their way to the disk: rows written so far survive a kill.

Enters: the file that shall appear, and its rows as they are computed. Leaves: the file, whole; or a
part beside it, which the next try goes on with. One process at a time holds a part; a second one
that computes the same features writes a file of its own, and the last to finish wins.
"""

from __future__ import annotations

import fcntl
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from brainlens.core.files import output_error, replacing
from brainlens.data.preprocess import Array

ADVICE = "Set BRAINLENS_CACHE to a folder you can write"


class Part:
    """The beginning of an array file of `total` rows, float32; final."""

    def __init__(self, stream: IO[bytes], total: int) -> None:
        self.stream, self.total = stream, total
        self.start, self.width = self._head()  # bytes before the first row, and of each
        size = stream.seek(0, os.SEEK_END)
        self.rows = (size - self.start) // self.width if self.width else 0

    def _head(self) -> tuple[int, int]:
        self.stream.seek(0)
        try:
            np.lib.format.read_magic(self.stream)
            shape, _, kind = np.lib.format.read_array_header_1_0(self.stream)
        except (ValueError, EOFError):
            return 0, 0
        if shape[0] != self.total or kind != np.float32:
            return 0, 0
        return self.stream.tell(), 4 * math.prod(shape[1:])

    def cut(self, rows: int) -> None:
        """Keep so many rows; the next one is written behind them."""
        self.rows = rows
        self.stream.truncate(self.start + rows * self.width if rows else 0)
        self.stream.seek(0, os.SEEK_END)

    def write(self, row: Array) -> None:
        """Add a row."""
        if self.rows == 0:
            shape = (self.total, *row.shape)
            head = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(self.stream, head)
        self.stream.write(np.ascontiguousarray(row, "<f4").tobytes())
        self.rows += 1


@contextmanager
def growing(path: Path, total: int) -> Iterator[Part]:
    """The part of `path`; it becomes `path` at the end, stays after a kill, goes on a full disk."""
    place = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = os.fdopen(os.open(place, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
    except OSError as error:
        raise output_error(path, error, ADVICE) from None
    with stream:
        if not _ours(stream, place):
            with replacing(path, advice=ADVICE) as own, own.open("r+b") as other:
                yield Part(other, total)
            return
        try:
            yield Part(stream, total)
            stream.flush()
            os.replace(place, path)
        except OSError as error:
            place.unlink(missing_ok=True)
            raise output_error(path, error, ADVICE) from None


def _ours(stream: IO[bytes], place: Path) -> bool:
    """Whether no other process writes this part, nor has just made the whole file of it."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(stream.fileno()), place.stat())
    except OSError:
        return False
