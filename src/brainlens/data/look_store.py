"""Owns the cache of looks: what was seen of a file, by the file's digest.

Every command that looks at new files adds archives, each whole or not at all. Their names begin
with the method: a digest of the modules that make a look, so that whatever changes there makes the
old cache stale. Arrays: `digests` and `pixels` (K, 32), `sizes` (K, 2), `modes` (K), `measured`,
and those of `Descriptors`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from brainlens.core.errors import OutputError
from brainlens.core.files import replacing
from brainlens.core.places import cache_folder
from brainlens.core.progress import say
from brainlens.data.descriptor import Array, Descriptors
from brainlens.data.looks import Identity, Looked, Looks, join

# The modules on which a look depends; any change of them makes the cache stale.
_MADE_BY = (
    "brainlens.core.images",
    "brainlens.data.descriptor",
    "brainlens.data.glyphs",
    "brainlens.data.headness",
    "brainlens.data.looks",
    "brainlens.data.measures",
    "brainlens.data.quality",
    "brainlens.data.shortcut",
    "brainlens.data.shrinking",
)
_DESCRIPTOR = ("codes", "windows", "slopes", "thumbs", "frames")  # of a look: never compact


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


def read(wanted: set[str]) -> tuple[list[Looks], dict[str, int]]:
    """What the cache holds of the wanted files: parts, and each file's place in all of them."""
    parts: list[Looks] = []
    place: dict[str, int] = {}
    for digests, held in _held(wanted, ("measured", *_DESCRIPTOR)):
        measured = held.pop("measured")
        place |= {digest: len(place) + k for k, digest in enumerate(digests)}
        parts.append(Looks(measured, Descriptors(**held)))
    return parts, place


def identities(wanted: set[str]) -> dict[str, Identity]:
    """What the cache knows of the wanted files, by their digests."""
    known: dict[str, Identity] = {}
    for digests, held in _held(wanted, ("pixels", "sizes", "modes")):
        pixels = (row.tobytes().hex() for row in held["pixels"])
        for one in zip(
            digests, pixels, held["sizes"].tolist(), held["modes"].tolist(), strict=True
        ):
            digest, pixel_digest, (width, height), mode = one
            known[digest] = Identity(digest, pixel_digest, width, height, mode)
    return known


def write(looked: Sequence[Looked]) -> None:
    """Add looks to the cache, and take away those of another method; what fails is said."""
    files = [one for part in looked for one in part.read]
    if not files:
        return
    looks = join([part.looks for part in looked])
    digests = [one.digest for one in files]
    name = hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:24]
    path = _folder() / f"{method()}-{name}.npz"
    held = {
        "digests": _raw(digests),
        "pixels": _raw([one.pixel_digest for one in files]),
        "sizes": np.array([(one.width, one.height) for one in files], np.int64),
        "modes": np.array([one.mode for one in files]),
        "measured": looks.measured,
        **{name: getattr(looks.descriptors, name) for name in _DESCRIPTOR},
    }
    advice = "Set BRAINLENS_CACHE to a folder you can write"
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


def _held(wanted: set[str], names: Sequence[str]) -> Iterator[tuple[list[str], dict[str, Array]]]:
    """Of each archive the wanted digests, none told twice, and its arrays of these names for them.

    A broken archive holds none, and is removed.
    """
    left = set(wanted)
    for path in sorted(_folder().glob(f"{method()}-*.npz")):
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
                known = [row.tobytes().hex() for row in held["digests"]]
                place = {digest: k for k, digest in enumerate(known) if digest in left}
                arrays = {name: held[name] for name in names} if place else {}
            if {len(value) for value in arrays.values()} - {len(known)}:
                raise ValueError("arrays of several lengths")
        except OSError:
            continue
        except (ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError):
            say(f"{path}: is damaged; the images in it are looked at anew")
            path.unlink(missing_ok=True)
            continue
        if place:
            left -= place.keys()
            whole = len(place) == len(known)
            part = slice(None) if whole else np.array(list(place.values()))
            yield list(place), {name: value[part] for name, value in arrays.items()}


def _raw(digests: Sequence[str]) -> Array:
    """SHA-256 hex digests as (N, 32) uint8."""
    return np.frombuffer(bytes.fromhex("".join(digests)), np.uint8).reshape(-1, 32)
