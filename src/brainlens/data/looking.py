"""Owns who looks at which file, and when: each distinct one once, by whatever command comes first.

Enters: paths (to be indexed), or an index (to be audited). Leaves: what each file is, or all that
was seen of it. What was seen is kept in the user's cache by the digest of the file (look_store), so
that an audit decodes nothing that was indexed here. Every file is read, though, and an index's must
still be those that were indexed. New files are looked at in processes where there are many.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from brainlens.core.dealing import dealt
from brainlens.core.errors import ImageError, IndexFileError
from brainlens.core.processors import cores
from brainlens.core.progress import track
from brainlens.data import look_store
from brainlens.data.descriptor import Descriptors
from brainlens.data.index import Index, Row
from brainlens.data.looks import Identity, Looked, Looks, bytes_of, join, look

CHUNK = 32  # files that one process looks at before it answers: their copies fit the cache
PARALLEL = 400  # new files for which starting processes pays
PROCESSES = 16  # at most
KEEP = 4096  # looks that wait to be kept: about 80 MB

A = TypeVar("A")
R = TypeVar("R")


def identify(paths: Sequence[Path]) -> list[Identity | ImageError]:
    """What each file is, or why it cannot be read.

    Memory: what is seen besides goes to the cache, KEEP files at a time.
    """
    names = [str(path) for path in paths]
    digests = _each(_digest_or_error, names)
    found: dict[str, Identity | ImageError] = {
        **look_store.identities({d for d in digests if isinstance(d, str)})
    }
    new: dict[str, str] = {}
    for name, digest in zip(names, digests, strict=True):
        if isinstance(digest, str) and digest not in found:
            new.setdefault(digest, name)
    found |= zip(new, _look_all(list(new.values()), "reading"), strict=True)
    told: list[Identity | ImageError] = []
    for name, digest in zip(names, digests, strict=True):
        one = digest if isinstance(digest, ImageError) else found[digest]
        told.append(one.of(name) if isinstance(one, ImageError) else one)
    return told


def look_at(index: Index) -> tuple[Looks, list[int]]:
    """What is seen of the files of an index, and for each row the number of its look.

    Raises IndexFileError where a file has changed since it was indexed, ImageError where one can
    no longer be read.
    """
    first: dict[str, Row] = {}
    for row in index.rows:
        first.setdefault(row.digest, row)
    parts, place = look_store.read(set(first))
    new = [row for digest, row in first.items() if digest not in place]
    fresh = {id(row) for row in new}
    _each(lambda row: _check(index, row), [row for row in index.rows if id(row) not in fresh])
    start = sum(len(part) for part in parts)
    paths = [str(index.file(row)) for row in new]
    files = _look_all(paths, "looking", parts)
    for k, (row, path, one) in enumerate(zip(new, paths, files, strict=True)):
        _refuse_another(path, row, one)
        place[row.digest] = start + k
    return join(parts), [place[row.digest] for row in index.rows]


def described(index: Index) -> tuple[list[str], Descriptors]:
    """The distinct pixel digests of an index, in their order, and their descriptors."""
    looks, place = look_at(index)
    first: dict[str, int] = {}
    for row, look_of in zip(index.rows, place, strict=True):
        first.setdefault(row.pixel_digest, look_of)
    return list(first), looks.descriptors.take(np.array(list(first.values()), np.int64))


def _look_all(
    paths: Sequence[str], what: str, into: list[Looks] | None = None
) -> list[Identity | ImageError]:
    """What each file is; what is seen besides is kept, and added to `into` where that is given."""
    chunks = [paths[at : at + CHUNK] for at in range(0, len(paths), CHUNK)]
    processes = min(cores(), PROCESSES, len(chunks)) if len(paths) >= PARALLEL else 1

    def each() -> Iterator[Identity | ImageError]:
        waiting: list[Looked] = []
        for part in dealt(look, chunks, processes):
            waiting.append(part)
            if sum(len(one.looks) for one in waiting) >= KEEP:
                look_store.write(waiting)
                waiting = []
            if into is not None:
                into.append(part.looks)
            yield from part.files
        look_store.write(waiting)

    return list(track(each(), what, len(paths)))


def _check(index: Index, row: Row) -> None:
    """A file that is not decoded must still be the one that was indexed, or the same picture."""
    path = str(index.file(row))
    if _digest(path) != row.digest:
        _refuse_another(path, row, look([path]).files[0])


def _refuse_another(path: str, row: Row, found: Identity | ImageError) -> None:
    """Other bytes may hold the picture that was indexed; another picture may not."""
    if isinstance(found, ImageError):
        raise found
    if row.pixel_digest != found.pixel_digest and row.digest != found.digest:
        raise IndexFileError(
            f"{path}: is another picture than the one indexed. Index the folder again"
        )


def _digest(path: str) -> str:
    return hashlib.sha256(bytes_of(path)).hexdigest()


def _digest_or_error(path: str) -> str | ImageError:
    try:
        return _digest(path)
    except ImageError as error:
        return error


def _each(work: Callable[[A], R], items: Sequence[A]) -> list[R]:
    """`work` of every item, in threads: for what waits for the disk.

    Some at a time, since handing an item to a thread costs more than to hash it.
    """
    parts = [items[at : at + CHUNK] for at in range(0, len(items), CHUNK)]
    with ThreadPoolExecutor(cores()) as pool:
        try:
            done = pool.map(lambda part: [work(item) for item in part], parts)
            each = (result for part in done for result in part)
            return list(track(each, "checking", len(items)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
