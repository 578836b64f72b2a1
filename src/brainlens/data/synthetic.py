"""Owns synthetic rows: how an index says that a generator made a picture, and when it may train.

A synthetic row has the generator's name as its `origin`, is of `split = train`, stands in a group
of its own, and its flags name the digest of the index that the generator learned from: only with
that very index may it train a classifier, else the generator may have seen the test images.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from brainlens.core.errors import IndexFileError
from brainlens.data.index import Index, Row, moved, read_index
from brainlens.data.preprocess import Array

SOURCE, SEED, GENERATOR = "source", "seed", "generator"  # names of flags


def synthetic_row(
    path: str, data: bytes, grey: Array, *, label: str, origin: str, source: str, seed: int,
    generator: str,
) -> Row:  # fmt: skip
    """The row of a picture; `data` are its file's bytes, `source` is an index's digest."""
    pixels = hashlib.sha256(f"{grey.shape}".encode() + grey.tobytes()).hexdigest()
    height, width = grey.shape
    return Row(
        path, label, hashlib.sha256(data).hexdigest(), pixels, width, height, "L",
        group=f"synthetic-{pixels[:16]}", split="train", origin=origin,
        flags=f"{SOURCE}={source};{SEED}={seed};{GENERATOR}={generator[:16]}",
    )  # fmt: skip


def note(row: Row, name: str) -> str:
    """What a row's flags say of `name`; "" for nothing."""
    pairs = (part.partition("=") for part in row.flags.split(";"))
    return next((value for key, _, value in pairs if key == name), "")


def with_extra(index: Index, index_path: Path, extra: Path) -> Index:
    """The index and the synthetic rows of another; raises IndexFileError where they do not fit."""
    added = read_index(extra)
    sides = {row.pixel_digest: row.split for row in index.rows if row.split in ("val", "test")}
    labels, digest = index.labels, index.digest()
    for row in added.rows:
        _check(row, extra, index_path, digest, labels)
        if row.pixel_digest in sides:
            raise IndexFileError(
                f"{extra}: {row.path} is the very picture of a {sides[row.pixel_digest]} image: "
                "the generator copies. Train it on the train rows alone: brainlens synth train"
            )
    rows = (*index.rows, *moved(added.rows, added.folder, index.folder))
    return Index(rows, index.folder)


def _check(row: Row, extra: Path, index_path: Path, digest: str, labels: list[str]) -> None:
    """Refuse a row that may not train beside this index."""
    if row.origin == "real":
        raise IndexFileError(
            f"{extra}: {row.path} is real (origin real); --extra takes synthetic images. Index "
            "real ones together with the others"
        )
    if row.split != "train":
        raise IndexFileError(f"{extra}: {row.path} is of no split; synthetic images need train")
    if row.label not in labels:
        raise IndexFileError(
            f"{extra}: {row.path} is of class {row.label!r}, but {index_path} has "
            f"{', '.join(labels)}"
        )
    if note(row, SOURCE) != digest:
        raise IndexFileError(
            f"{extra}: its generator learned from another index (digest "
            f"{note(row, SOURCE)[:12] or 'unknown'}) than {index_path} ({digest[:12]}), so it may "
            "have seen these test images. Train a generator on this one: brainlens synth train "
            f"{index_path}"
        )
