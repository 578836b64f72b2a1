"""Owns descriptors on disk: the user's cache, and the compact form that may be passed on.

The cache holds whole descriptors by pixel digest, so that an image is described once; every call
that describes new images adds one file, whole or not at all. The compact form holds codes at
8 bits, windows and marks, 186 bytes an image, and no picture.
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

from brainlens.core.errors import UserError
from brainlens.core.files import replacing
from brainlens.core.places import cache_folder
from brainlens.data.descriptor import (
    BATCH,
    CODE,
    FORMAT,
    MARKS,
    Array,
    Descriptors,
    describe,
    join,
    marks,
)

_SCALE = 254  # codes are unit vectors of 54: beyond one half is rare, and clipped


def to_compact(descriptors: Descriptors) -> dict[str, Array]:
    """All of a descriptor that is passed on.

    Codes (N, 3, CODE) int8, windows (N, 4) uint8, marks (N, MARKS / 8 rounded up) packed bits.
    """
    windows = np.rint(descriptors.windows * 255).astype(np.uint8)
    codes = np.clip(np.rint(descriptors.codes * _SCALE), -127, 127).astype(np.int8)
    signs = descriptors.marks
    if signs is None:
        assert descriptors.frames is not None
        places = windows.astype(np.float32) / 255
        parts = [
            marks(descriptors.frames[at : at + BATCH], places[at : at + BATCH])
            for at in range(0, len(codes), BATCH)
        ]
        signs = np.concatenate([np.zeros((0, MARKS), np.int8), *parts])
    return {"codes": codes, "windows": windows, "marks": np.packbits(signs > 0, axis=1)}


def from_compact(codes: Array, windows: Array, marks: Array) -> Descriptors:
    """Compact descriptors again, from `to_compact`'s arrays."""
    values = codes.astype(np.float32)
    values /= np.maximum(np.linalg.norm(values, axis=2, keepdims=True), 1)
    bits = np.unpackbits(marks, axis=1, count=MARKS).astype(np.int8)
    return Descriptors(values, windows.astype(np.float32) / 255, marks=bits * 2 - 1)


def save_compact(path: Path, digests: Sequence[str], descriptors: Descriptors) -> Path:
    """Write a hash manifest: pixel digests and compact descriptors, no pixels."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        held = {"format": np.array(FORMAT), "digests": _raw(digests), **to_compact(descriptors)}
        np.savez_compressed(stream, allow_pickle=False, **held)
    return path


def load_compact(path: Path) -> tuple[list[str], Descriptors]:
    """Read a hash manifest: pixel digests, and descriptors in the same order."""
    try:
        with np.load(path, allow_pickle=False) as held:
            if held["format"] != FORMAT:
                raise UserError(f"{path}: is of format {held['format']}; expected {FORMAT}")
            digests = [row.tobytes().hex() for row in held["digests"]]
            codes, windows, signs = held["codes"], held["windows"], held["marks"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{path}: is no hash manifest of brainlens ({error})") from None
    shapes = (3, CODE), (4,), (-(-MARKS // 8),)
    held_shapes = codes.shape[1:], windows.shape[1:], signs.shape[1:]
    if held_shapes != shapes or {len(codes), len(windows), len(signs)} != {len(digests)}:
        raise UserError(f"{path}: its arrays do not fit together. Fetch it again")
    return digests, from_compact(codes, windows, signs)


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
