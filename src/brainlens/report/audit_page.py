"""Owns `audit.html`: what an audit found as one page that opens offline, with pictures.

Enters: the folder that `brainlens audit` leaves, while the images are still where it saw them.
Leaves: `audit.html` in it. The pictures are small, and bounded in number and bytes (thumbnails).
Names of files may identify people, and so may pictures: both can be left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from brainlens.core.errors import IndexFileError
from brainlens.core.files import write_atomic
from brainlens.data.index import Index, read_index
from brainlens.report.artefacts import need, pick, read_json
from brainlens.report.audited import audit
from brainlens.report.gallery import NOWHERE, galleries
from brainlens.report.names import PATHS, numbers
from brainlens.report.rendering import render
from brainlens.report.thumbnails import Thumbnails


class Written(NamedTuple):
    """The page, and what it gives away."""

    path: Path
    kilobytes: int
    holds: str  # in words


def write_audit_page(folder: Path, *, names: bool = True, pictures: bool = True) -> Written:
    """Write `audit.html` of an audit's folder, with or without names of files and pictures."""
    file = folder / "audit.json"
    document = read_json(file)
    index = read_index(Path(need(document, "index", str, file)))
    other = _other(pick(document, "against"))
    called = PATHS if names else numbers(index.rows, other.rows)
    view = audit(folder, called)
    thumbnails = Thumbnails()
    if pictures:
        view["gallery"] = galleries(document, index, other, thumbnails, called)
    title = folder.resolve().name if names else "audit"
    view |= {"kind": "audit", "title": title, "anchor": "s1"}
    holds = _holds(thumbnails, names)
    page = render([view], holds=holds, pictures=pictures)
    path = write_atomic(folder / "audit.html", page)
    return Written(path, round(len(page.encode()) / 1000), holds)


def _other(path: str | None) -> Index:
    """The other index; an empty one where there is none, or only a manifest of digests."""
    try:
        return read_index(Path(path)) if path else NOWHERE
    except IndexFileError:
        return NOWHERE  # its pictures are then shown as missing


def _holds(thumbnails: Thumbnails, names: bool) -> str:
    """What of the images the page gives away, in words."""
    if not thumbnails.made:
        return "names of image files, and no images" if names else "no names of files and no images"
    called = "with names of files" if names else "without names of files"
    kilobytes = round(thumbnails.bytes / 1000)
    said = f"{thumbnails.made} small pictures ({kilobytes:,} KB) {called}"
    if thumbnails.left_out:
        said += (
            f"; {thumbnails.left_out} more did not fit within {thumbnails.most_bytes / 1e6:g} MB"
        )
    return said
