"""Owns `index.csv`: one row an image, the table every later stage reads.

Enters: a CSV file, or rows. Leaves: checked rows, or the CSV file. Paths are relative to the
index file, so that folder and index move together.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import itertools
import os
import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Any

from brainlens.core.errors import IndexFileError
from brainlens.core.files import write_atomic

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Row:
    """One image of an index."""

    path: str  # relative to the index file, with forward slashes
    label: str
    digest: str  # SHA-256 of the file's bytes
    pixel_digest: str  # SHA-256 of the decoded grey picture and its shape
    width: int
    height: int
    mode: str  # as the file has it: L, RGB, P ...
    group: str  # images that must stay on one side: copies, twins, one patient
    patient: str = ""  # "" where unknown
    split: str = ""  # train, val, test, or "" for not used
    origin: str = "real"  # or the generator that made it
    flags: str = ""  # notes, separated by ";"
    fold: str = ""  # known patient fold: a patient is never in two; "" where unknown
    official: str = ""  # the split of the folder it came from (Training/, Testing/)


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))
_REQUIRED = COLUMNS[:12]
_FILLED = ("path", "label", "digest", "pixel_digest", "group")  # never empty


@dataclass(frozen=True)
class Index:
    """The rows of an index and the folder their paths start from."""

    rows: tuple[Row, ...]
    folder: Path

    @property
    def labels(self) -> list[str]:
        """The class names, sorted: their order is the order of the model's outputs."""
        return sorted({row.label for row in self.rows})

    def of(self, split: str) -> list[Row]:
        """The rows of one split, in the order of the file."""
        return [row for row in self.rows if row.split == split]

    def file(self, row: Row) -> Path:
        """Where the image of `row` lies."""
        return self.folder / row.path

    def digest(self) -> str:
        """What the index says about its images, as one SHA-256; moving files leaves it alone."""
        facts = sorted(
            f"{row.pixel_digest} {row.label} {row.group} {row.split} {row.origin}"
            for row in self.rows
        )
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()

    def about(self) -> dict[str, Any]:
        """What a certificate says of the index: digest, images, groups."""
        groups = len({row.group for row in self.rows})
        return {"digest": self.digest(), "images": len(self.rows), "groups": groups}


def counts(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Images by split and label: `{"train": {"glioma": 12, ...}, ...}`."""
    table = Counter((row.split, row.label) for row in rows)
    splits = [name for name in (*SPLITS, "") if any(split == name for split, _ in table)]
    return {
        name: {label: n for (split, label), n in sorted(table.items()) if split == name}
        for name in splits
    }


def read_index(path: Path) -> Index:
    """Read and check an index; raises IndexFileError with the file's name and line."""
    if path.is_dir():
        raise IndexFileError(
            f"{path}: is a folder; expected an index file. Make one: brainlens index {path} "
            "-o index.csv"
        )
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise IndexFileError(
            f"{path}: no such file; expected an index. Make one: brainlens index FOLDER -o {path}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise IndexFileError(f"{path}: cannot be read as an index ({error})") from None
    try:
        rows = _rows(path, text)
    except csv.Error as error:
        raise IndexFileError(f"{path}: cannot be read as an index ({error})") from None
    index = Index(rows, path.parent)
    check(index, path)
    return index


def _rows(path: Path, text: str) -> tuple[Row, ...]:
    """The records of a table as rows."""
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in _REQUIRED if name not in (reader.fieldnames or ())]
    if missing:
        raise IndexFileError(
            f"{path}: is no index (column {missing[0]!r} is missing). "
            "Make one: brainlens index FOLDER -o index.csv"
        )
    return tuple(_row(path, reader.line_num, record) for record in reader)


def _row(path: Path, line: int, record: dict[str, str | None]) -> Row:
    """One record as a Row."""
    values = {name: record[name] or "" for name in COLUMNS if name in record}
    try:
        width, height = int(values.pop("width")), int(values.pop("height"))
    except ValueError:
        raise IndexFileError(f"{path}, line {line}: width and height must be numbers") from None
    if values["split"] not in (*SPLITS, ""):
        raise IndexFileError(
            f"{path}, line {line}: split {values['split']!r}; expected train, val, test or nothing"
        )
    values["origin"] = values["origin"] or "real"
    return Row(width=width, height=height, **values)


def check(index: Index, path: Path) -> None:
    """Refuse an index that would make a dishonest result: DESIGN 3's rules on its rows."""
    if not index.rows:
        raise IndexFileError(f"{path}: lists no image. Index a folder that holds some")
    seen: set[str] = set()
    for row in index.rows:
        if row.path in seen:
            raise IndexFileError(f"{path}: {row.path} is listed twice. Index the folder again")
        seen.add(row.path)
        for name in _FILLED:
            if not getattr(row, name):
                raise IndexFileError(
                    f"{path}: {row.path or 'a row'} has no {name}. Index the folder again"
                )
        if row.origin != "real" and row.split not in ("train", ""):
            raise IndexFileError(
                f"{path}: {row.path} is synthetic (origin {row.origin}) but in {row.split!r}; "
                "synthetic images may only train. Set its split to train"
            )


def write_index(rows: Sequence[Row], folder: Path, path: Path) -> Path:
    """Write rows whose paths start from `folder` as the index `path`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(attrgetter(*COLUMNS), moved(rows, folder, path.parent)))
    return write_atomic(path, text.getvalue())


def moved(rows: Sequence[Row], folder: Path, target: Path) -> list[Row]:
    """The rows with paths that start from `target` instead of `folder`."""
    start, end = folder.resolve(), target.resolve()
    if start == end and not any(os.path.isabs(row.path) for row in rows):
        return list(rows)
    found: list[Row] = []
    bases: dict[str, Path] = {}  # few folders hold many images
    for row in rows:
        head, name = posixpath.split(row.path)
        if head not in bases:
            bases[head] = Path(os.path.relpath(start / head, end))
        found.append(dataclasses.replace(row, path=(bases[head] / name).as_posix()))
    return found


def missing_file_error(index: Index, row: Row) -> IndexFileError:
    """The error for a row whose image has moved: where it should be, and which root to give."""
    file = index.file(row)
    inner = _below_root(index, row)
    root = file.parents[len(inner) - 1]
    told = f"{file}: no such file, though the index lists it. "
    elsewhere = _root_now(index, row, inner)
    if elsewhere:
        return IndexFileError(
            f"{told}The images lie below {elsewhere} now: index them there, brainlens index "
            f"{elsewhere} -o index.csv"
        )
    return IndexFileError(
        f"{told}Put the images back beside the index, below {root}, or give the folder where they "
        "are now: brainlens index FOLDER -o index.csv"
    )


def _below_root(index: Index, row: Row) -> tuple[str, ...]:
    """The end of a row's path, below the folder that all rows share; with the class at least."""
    parts = PurePosixPath(row.path).parts
    folders = {PurePosixPath(other.path).parent.parts for other in index.rows}
    shared = itertools.takewhile(lambda same: len(set(same)) == 1, zip(*folders, strict=False))
    return parts[min(len(list(shared)), max(len(parts) - 2, 0)) :]


def _root_now(index: Index, row: Row, inner: tuple[str, ...]) -> Path | None:
    """The folder that now stands where the images' root stood, if it is near; else None."""
    own = index.folder.resolve()
    near = [Path(), index.folder, own.parent, own.parent.parent]
    near += [child for base in near[:2] for child in sorted(base.glob("*")) if child.is_dir()]
    parts = PurePosixPath(row.path).parts
    ends = [parts[-n:] for n in range(min(len(parts), 6), 1, -1)]
    for base, end in itertools.product(near, ends):
        found = base.joinpath(*end)
        if ".." not in end and len(end) >= len(inner) and found.is_file():
            return found.parents[len(inner) - 1]
    return None
