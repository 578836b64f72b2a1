"""Owns hash manifests: an index without its pictures, in which they can still be found.

Enters: rows and their descriptors. Leaves: one file (a NumPy archive) of pixel digests, compact
descriptors and, as JSON, label, group and split of each image; no pixels, patients or file names,
unless its maker gives names. Whoever has the file can ask of an image "is it, or a twin of it, in
that set?", and nothing more; so a set that may not be passed on can still be compared with.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.core.errors import IndexFileError
from brainlens.core.files import replacing
from brainlens.data.compact import SHAPES, from_compact, to_compact
from brainlens.data.descriptor import FORMAT, Array, Descriptors
from brainlens.data.index import SPLITS, Index, Row

# Columns of the JSON: fields of Row that say nothing of who, where and when.
_COLUMNS = ("path", "label", "group", "split", "origin", "flags", "official")
_GROUP = re.compile(r"g-[0-9a-f]{16}")  # named by a picture: says nothing else
_NOTES = ("second-label",)  # of the flags, what is of the picture and not of the file
_ARRAYS = ("format", "digests", *SHAPES, "table")


@dataclass(frozen=True)
class HashManifest:
    """What is known of a set of images without having them."""

    rows: tuple[Row, ...]  # digest and patient are empty, sizes 0
    pixels: tuple[str, ...]  # (P,) the distinct pixel digests of the rows
    descriptors: Descriptors  # (P,) compact

    @property
    def index(self) -> Index:
        """The rows as an index whose images are nowhere."""
        return Index(self.rows, Path())


def anonymous(rows: Sequence[Row]) -> list[Row]:
    """Rows fit to be passed on: images are numbered, patients and folders left out."""
    return [
        dataclasses.replace(
            _bare(row),
            path=f"image {number}",
            group=_group(row.group),
            flags=";".join(n for n in row.flags.split(";") if n.partition("=")[0] in _NOTES),
        )
        for number, row in enumerate(rows, start=1)
    ]


def _bare(row: Row) -> Row:
    """A row without what only its file and its patient have."""
    return dataclasses.replace(row, digest="", width=0, height=0, mode="", patient="", fold="")


def _group(name: str) -> str:
    """A group's name; one that somebody else gave may be a patient's, and is hashed."""
    if _GROUP.fullmatch(name):
        return name
    return f"g-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def save_hashes(
    path: Path, rows: Sequence[Row], pixels: Sequence[str], descriptors: Descriptors
) -> Path:
    """Write a hash manifest of the rows, as they are: make them `anonymous` first.

    `descriptors` are those of `pixels`, the rows' pixel digests; more of them may be given.
    """
    used = {row.pixel_digest for row in rows}
    kept = np.array([i for i, digest in enumerate(pixels) if digest in used], np.int64)
    place = {pixels[i]: n for n, i in enumerate(kept.tolist())}
    table = {name: [getattr(row, name) for row in rows] for name in _COLUMNS}
    held = {"picture": [place[row.pixel_digest] for row in rows], **table}
    text = json.dumps(held, separators=(",", ":")).encode()
    arrays = {
        "format": np.array(FORMAT),
        "digests": _raw([pixels[i] for i in kept]),
        **to_compact(descriptors.take(kept)),
        "table": np.frombuffer(text, np.uint8),
    }
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    return path


def is_hashes(path: Path) -> bool:
    """Whether a file is an archive, as hash manifests are, and no table, as indices are."""
    return path.is_file() and zipfile.is_zipfile(path)


def load_hashes(path: Path) -> HashManifest:
    """Read a hash manifest; raises IndexFileError where it is none, or of another format."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
            arrays = {name: held[name] for name in _ARRAYS}
        if int(arrays["format"]) != FORMAT:
            raise IndexFileError(
                f"{path}: is a hash manifest of format {int(arrays['format'])}; expected {FORMAT}. "
                "Export it again with this version of brainlens"
            )
        _check_shapes(arrays)
        pixels = [row.tobytes().hex() for row in arrays["digests"]]
        rows = _rows(json.loads(arrays["table"].tobytes()), pixels)
    except FileNotFoundError:
        raise IndexFileError(f"{path}: no such file; expected a hash manifest") from None
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        zipfile.BadZipFile,
        EOFError,
    ) as e:
        reason = " ".join(str(e).split())
        raise IndexFileError(
            f"{path}: is no hash manifest of brainlens ({reason}). Make one: brainlens audit INDEX "
            "--export-manifest FILE"
        ) from None
    descriptors = from_compact(**{name: arrays[name] for name in SHAPES})
    return HashManifest(rows, tuple(pixels), descriptors)


def _check_shapes(arrays: Mapping[str, Array]) -> None:
    """The arrays must be of one length and of the right shapes."""
    n = len(arrays["digests"])
    for name, shape in {"digests": (32,), **SHAPES}.items():
        if arrays[name].shape != (n, *shape):
            raise ValueError(f"{name} is {arrays[name].shape}, expected {(n, *shape)}")


def _rows(table: Mapping[str, Any], pixels: Sequence[str]) -> tuple[Row, ...]:
    """The rows of the JSON table."""
    columns = [table[name] for name in _COLUMNS]
    rows = []
    for picture, *values in zip(table["picture"], *columns, strict=True):
        if not all(isinstance(value, str) for value in values) or picture < 0:
            raise ValueError("a row is malformed")
        rows.append(
            Row(
                digest="",
                pixel_digest=pixels[picture],
                width=0,
                height=0,
                mode="",
                **dict(zip(_COLUMNS, values, strict=True)),
            )
        )
    if not rows or any(row.split not in (*SPLITS, "") or not row.label for row in rows):
        raise ValueError("a row without a label, an unknown split, or no rows at all")
    return tuple(rows)


def _raw(digests: Sequence[str]) -> Array:
    """SHA-256 hex digests as (N, 32) uint8."""
    return np.frombuffer(bytes.fromhex("".join(digests)), np.uint8).reshape(-1, 32)
