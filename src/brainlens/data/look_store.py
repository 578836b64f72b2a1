"""Owns the cache of looks: what the audit saw of a file, by the file's digest.

Every audit that looks at new files adds one archive, whole or not at all. Its name begins with the
method: a digest of the modules that make a look, so that whatever changes there makes the old cache
stale. It is an archive of arrays: `digests` (K, 32), `measured` and those of `Descriptors`.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from brainlens.core.errors import OutputError
from brainlens.core.files import replacing
from brainlens.core.places import cache_folder
from brainlens.core.progress import say
from brainlens.data.descriptor import Array, Descriptors

# The modules on which a look depends; any change of them makes the cache stale.
_MADE_BY = (
    "brainlens.core.images",
    "brainlens.data.descriptor",
    "brainlens.data.glyphs",
    "brainlens.data.looks",
    "brainlens.data.measures",
    "brainlens.data.quality",
    "brainlens.data.shrinking",
)
_FIELDS = tuple(field.name for field in dataclasses.fields(Descriptors))


@functools.cache
def method() -> str:
    """The version of the method: 12 hex digits of the code that looks."""
    return code_digest(_MADE_BY)


def code_digest(modules: Sequence[str], after: str = "") -> str:
    """12 hex digits of the modules' source, and of what else the method follows."""
    code = hashlib.sha256(after.encode())
    for name in modules:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        code.update(Path(spec.origin).read_bytes())
    return code.hexdigest()[:12]


def read(wanted: set[str]) -> tuple[list[tuple[Array, Descriptors]], dict[str, int]]:
    """What the cache holds of the wanted files: parts, and each file's place in all of them."""
    parts: list[tuple[Array, Descriptors]] = []
    place: dict[str, int] = {}
    start = 0
    for path in sorted(_folder().glob(f"{method()}-*.npz")):
        known, part = _read(path, wanted - place.keys())
        if part is not None:
            place.update({digest: start + k for k, digest in enumerate(known)})
            parts.append(part)
            start += len(known)
    return parts, place


def write(digests: Sequence[str], measured: Array, descriptors: Descriptors) -> None:
    """Add looks to the cache, and take away those of another method; what fails is said."""
    name = hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:24]
    path = _folder() / f"{method()}-{name}.npz"
    values = {name: getattr(descriptors, name) for name in _FIELDS}
    arrays = {name: value for name, value in values.items() if value is not None}
    advice = "Set BRAINLENS_CACHE to a folder you can write"
    held = {"digests": _raw(digests), "measured": measured, **arrays}
    try:
        with replacing(path, advice=advice) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **held)
    except OutputError as error:
        say(f"{error}. Going on without a cache: the next audit decodes these images again")
        return
    _remove_stale()


def _folder() -> Path:
    return cache_folder() / "looks"


def _remove_stale() -> None:
    """Archives of another method are made again as they are needed: say so, and remove them."""
    stale = [p for p in _folder().glob("*-*.npz") if not p.name.startswith(method())]
    if not stale:
        return
    say(
        f"{_folder()}: what was kept there is of another version of the audit; the images are "
        "looked at anew"
    )
    for path in stale:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return  # somebody else's: it does no harm


def _read(path: Path, wanted: set[str]) -> tuple[list[str], tuple[Array, Descriptors] | None]:
    """The wanted looks of one archive; a broken one holds none."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
            known = [row.tobytes().hex() for row in held["digests"]]
            rows = [k for k, digest in enumerate(known) if digest in wanted]
            if not rows:
                return [], None
            arrays = {name: held[name] for name in (*_FIELDS, "measured") if name in held.files}
            if {len(value) for value in arrays.values()} != {len(known)}:
                raise ValueError("arrays of several lengths")
            measured = arrays.pop("measured")
            whole = Descriptors(**arrays)
            if len(rows) < len(known):
                measured, whole = measured[rows], whole.take(np.array(rows))
            return [known[k] for k in rows], (measured, whole)
    except OSError:
        return [], None
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError):
        say(f"{path}: is damaged; the images in it are looked at anew")
        path.unlink(missing_ok=True)
        return [], None


def _raw(digests: Sequence[str]) -> Array:
    """SHA-256 hex digests as (N, 32) uint8."""
    return np.frombuffer(bytes.fromhex("".join(digests)), np.uint8).reshape(-1, 32)
