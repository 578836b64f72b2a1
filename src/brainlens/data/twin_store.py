"""Owns the cache of twins: which pictures were compared with which, and the twins among them.

Every audit leaves one archive: the digests of its pictures and the twins found. The next one takes
the archive that knows most of its pictures and compares only those that are new, among themselves
and with the rest: an index that has grown by 100 images costs seconds. An archive's name begins
with the method, a digest of the modules that decide what a twin is. Arrays: `pixels` (K, 32),
`pairs` (T, 2), `r` (T), `symmetry` (T).
"""

from __future__ import annotations

import functools
import hashlib
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from brainlens.core.errors import OutputError
from brainlens.core.files import replacing
from brainlens.core.places import cache_folder
from brainlens.core.progress import say
from brainlens.data import look_store, symmetry
from brainlens.data.descriptor import Array, Descriptors
from brainlens.data.twins import Twin, find_twins

# With what makes a look, the modules on which twins depend.
_MADE_BY = tuple(
    f"brainlens.data.{name}"
    for name in ("candidates", "laying", "registration", "symmetry", "twins")
)
_SHA256 = re.compile("[0-9a-f]{64}")


class Compared(NamedTuple):
    """Pictures that have been compared with one another."""

    pixels: Sequence[str]  # (K,) their digests
    twins: Sequence[Twin]  # all of them
    path: Path | None = None  # where this is kept


def twins_of(pixels: Sequence[str], descriptors: Descriptors) -> list[Twin]:
    """`find_twins` of pictures with these pixel digests, those compared before not compared again.

    A correlation may differ in the fourth digit from that of a search from nothing: a pair is laid
    from the other side where its older picture now comes second.
    """
    if not all(map(_SHA256.fullmatch, pixels)):
        return find_twins(descriptors)
    held = _read(set(pixels))
    place = {digest: k for k, digest in enumerate(pixels)}
    before = [place.get(digest, -1) for digest in held.pixels]
    kept = [(before[t.i], before[t.j], t.r, t.symmetry) for t in held.twins]
    found = [_ordered(Twin(*one)) for one in kept if min(one[:2]) >= 0]
    old = np.array(sorted(k for k in before if k >= 0), np.int64)
    new = np.setdiff1d(np.arange(len(pixels)), old)
    if new.size:
        fresh = descriptors.take(new) if old.size else descriptors
        found += [Twin(int(new[t.i]), int(new[t.j]), t.r, t.symmetry) for t in find_twins(fresh)]
        if old.size:
            across = find_twins(fresh, descriptors.take(old))
            found += [_ordered(Twin(int(new[t.i]), int(old[t.j]), t.r, t.symmetry)) for t in across]
        _write(Compared(pixels, sorted(found)), replaces=held if len(old) == len(before) else None)
    return sorted(found)


def _ordered(twin: Twin) -> Twin:
    """The same twins, i before j."""
    if twin.i < twin.j:
        return twin
    return Twin(twin.j, twin.i, twin.r, symmetry.inverse(twin.symmetry))


@functools.cache
def method() -> str:
    """The version of the method: 12 hex digits of the code that looks and compares."""
    return look_store.code_digest(_MADE_BY, look_store.method())


def _folder() -> Path:
    return cache_folder() / "twins"


def _read(wanted: set[str]) -> Compared:
    """The archive that knows most of the wanted pictures; an empty one where none knows any."""
    best, most = Compared((), ()), 0
    for path in sorted(_folder().glob(f"{method()}-*.npz")):
        held = _load(path)
        known = sum(digest in wanted for digest in held.pixels)
        if known > most:
            best, most = held, known
    return best


def _load(path: Path) -> Compared:
    """One archive; a broken one knows nothing, and is removed."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
            pixels = [row.tobytes().hex() for row in held["pixels"]]
            columns = (held["pairs"].tolist(), held["r"].tolist(), held["symmetry"].tolist())
            twins = [Twin(i, j, r, g) for (i, j), r, g in zip(*columns, strict=True)]
            if any(not 0 <= t.i < t.j < len(pixels) for t in twins):
                raise ValueError("twins of no picture")
            return Compared(pixels, twins, path)
    except OSError:
        return Compared((), ())
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError):
        say(f"{path}: is damaged; the pictures in it are compared anew")
        path.unlink(missing_ok=True)
        return Compared((), ())


def _write(compared: Compared, *, replaces: Compared | None) -> None:
    """Keep what was compared; what it replaces and what is of another method goes."""
    raw = bytes.fromhex("".join(compared.pixels))
    path = _folder() / f"{method()}-{hashlib.sha256(raw).hexdigest()[:24]}.npz"
    arrays: dict[str, Array] = {
        "pixels": np.frombuffer(raw, np.uint8).reshape(-1, 32),
        "pairs": np.array([(t.i, t.j) for t in compared.twins], np.int64).reshape(-1, 2),
        "r": np.array([t.r for t in compared.twins], np.float64),
        "symmetry": np.array([t.symmetry for t in compared.twins], np.int64),
    }
    try:
        with replacing(path, advice="") as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
    except OutputError:
        return  # a cache that cannot be written has been told of by the looks
    old = {p for p in _folder().glob("*-*.npz") if not p.name.startswith(method())}
    if replaces is not None and replaces.path is not None:
        old.add(replaces.path)
    for stale in old - {path}:
        try:
            stale.unlink(missing_ok=True)
        except OSError:
            return  # somebody else's: it does no harm
