"""Owns descriptors on disk: the user's cache.

The cache holds whole descriptors by pixel digest, so that an image is described once; every call
that describes new images adds one file, whole or not at all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from brainlens.core.files import replacing
from brainlens.core.places import cache_folder
from brainlens.data.descriptor import FORMAT, Array, Descriptors, describe, join


def cached(digests: Sequence[str], frame: Callable[[int], Array]) -> Descriptors:
    """Descriptors of images by pixel digest, in order; `frame(i)` is called for unknown ones,
    on all cores.

    What was described is kept below the cache folder for the next time.
    """
    where: dict[str, tuple[int, int]] = {}
    parts: list[Descriptors] = []
    wanted = set(digests)
    for path in sorted((cache_folder() / "descriptors").glob(f"v{FORMAT}-*.npz")):
        known, part = _read(path, wanted)
        where.update({digest: (len(parts), k) for k, digest in enumerate(known)})
        parts.append(part)
    new: dict[str, int] = {}
    for i, digest in enumerate(digests):
        if digest not in where:
            new.setdefault(digest, i)
    if new or not parts:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            fresh = describe(pool.map(frame, new.values()))
        where.update({digest: (len(parts), k) for k, digest in enumerate(new)})
        parts.append(fresh)
        if new:
            _write(list(new), fresh)
    starts = np.cumsum([0, *(len(part) for part in parts)])
    rows = [int(starts[part]) + k for part, k in (where[digest] for digest in digests)]
    return join(parts).take(np.array(rows, np.int64))


def _read(path: Path, wanted: set[str]) -> tuple[list[str], Descriptors]:
    """The wanted descriptors of one cache file; a broken file holds none."""
    try:
        with np.load(path, allow_pickle=False) as held:
            known = [row.tobytes().hex() for row in held["digests"]]
            rows = [k for k, digest in enumerate(known) if digest in wanted]
            if rows:
                whole = Descriptors(
                    **{name: held[name] for name in held.files if name != "digests"}
                )
                return [known[k] for k in rows], whole.take(rows)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
        pass
    return [], describe([])


def _write(digests: list[str], descriptors: Descriptors) -> None:
    """Add one file to the cache, named by what is in it."""
    name = hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:24]
    fields = (field.name for field in dataclasses.fields(descriptors))
    values = {name: getattr(descriptors, name) for name in fields}
    arrays = {name: value for name, value in values.items() if value is not None}
    path = cache_folder() / "descriptors" / f"v{FORMAT}-{name}.npz"
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, digests=_raw(digests), **arrays)


def _raw(digests: Sequence[str]) -> Array:
    """SHA-256 hex digests as (N, 32) uint8."""
    return np.frombuffer(bytes.fromhex("".join(digests)), np.uint8).reshape(-1, 32)
