"""Owns uploads: files of any kind and any malice in, planes or refusals out.

What a file is, its content says; its name is a word to show. Sizes are held against the limits
before anything is decoded. One bad file among good ones is named and skipped.
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from brainlens.core.errors import ImageError, TooLargeError
from brainlens.core.images import open_image
from brainlens.core.packed import GZIP, gunzip
from brainlens.core.scanfiles import read_slices
from brainlens.data.scans import shows_something
from brainlens.deploy.service import archives, headers
from brainlens.deploy.service.planes import Plane, digest_of, of_picture, of_slice
from brainlens.deploy.service.refusals import Refusal, no_room
from brainlens.deploy.service.settings import Limits
from brainlens.deploy.service.structured import header_of

_LOG = logging.getLogger("brainlens.serve")
_NAME = 160  # characters of a name that are kept
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class _TooMuch(Refusal):
    """The whole request is refused, not one of its files."""


@dataclass
class Upload:
    """What came of one request's files."""

    planes: list[Plane] = field(default_factory=list)
    refused: list[tuple[str, Refusal]] = field(default_factory=list)
    digest: str = ""  # over the files, in their order


def read_upload(files: Sequence[tuple[str, BinaryIO]], folder: Path, limits: Limits) -> Upload:
    """Planes in the order of the studies, within each in the order of the body.

    Raises Refusal where limits are passed, or no file is readable. `folder` is for scans at work.
    """
    found, digests, pixels = Upload(), [], 0
    for count, (name, content) in enumerate(_flat(files, limits, found)):
        if count >= limits.files:
            raise Refusal("too-large", f"more than {limits.files:,} files at once")
        digests.append(digest_of(content))
        try:
            for plane in _planes(name, content, folder, limits):
                found.planes.append(plane)
                pixels += plane.grey.size
                _check_total(len(found.planes), pixels, limits)
        except _TooMuch:
            raise
        except ImageError as error:
            found.refused.append((name, _refusal(name, error)))
        except Refusal as refusal:
            found.refused.append((name, refusal))
    if not found.planes:
        raise _none_readable(found)
    found.planes = _in_order(found.planes)
    found.digest = digest_of("\n".join(digests).encode()) if len(digests) > 1 else digests[0]
    return found


def shown_name(name: str) -> str:
    """A file's name as it may be shown: the last parts of its path, nothing that steers a line."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return plain("/".join(parts[-3:]))[-_NAME:] or "unnamed"


def plain(text: str) -> str:
    """Words as every database and every terminal takes them."""
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8")


def _flat(
    files: Sequence[tuple[str, BinaryIO]], limits: Limits, found: Upload
) -> Iterator[tuple[str, bytes]]:
    """Files as they are, archives as what they hold."""
    for raw, stream in files:
        name, content = shown_name(raw), stream.read()
        if not archives.is_zip(content):
            yield name, content
            continue
        try:
            for inner, data in archives.entries(name, content, limits):
                yield shown_name(inner), data
        except Refusal as refusal:
            if refusal.code == "too-large":
                raise
            found.refused.append((name, refusal))


def _planes(name: str, content: bytes, folder: Path, limits: Limits) -> Iterator[Plane]:
    """The planes of one file; raises ImageError and Refusal."""
    if not content:
        raise Refusal("broken-file", f"{name}: is empty")
    if archives.is_zip(content):
        raise Refusal("broken-file", f"{name}: an archive within an archive; unpack it first")
    digest = digest_of(content)
    if content[:2] == GZIP:
        content = gunzip(name, content, limits.unpacked)
    try:
        if headers.is_nifti(content):
            headers.check_nifti(name, content, limits)
            yield from _scan(name, content, ".nii", digest, folder)
        elif headers.is_dicom(name, content):
            headers.check_dicom(name, content, limits)
            yield from _scan(name, content, ".dcm", digest, folder)
        else:
            headers.check_webp(name, content, limits)
            image = open_image(content, name=name, pixel_limit=limits.pixels)
            parent = str(PurePosixPath(name).parent)
            loose = parent == "."
            yield of_picture(
                image, name=name, study=f"picture:{name}:{digest}" if loose else f"in:{parent}",
                title=name if loose else parent, content=content,
            )  # fmt: skip
    except (ImageError, Refusal):
        raise
    except (Exception, MemoryError) as error:  # parsers of foreign files raise what they like
        if no_room(error):
            raise
        _LOG.info("a %d byte file could not be read: %r", len(content), error)
        line = " ".join(str(error).split())[:120] or type(error).__name__
        raise Refusal("broken-file", f"{name}: is broken ({line})") from None


def _scan(name: str, content: bytes, ending: str, digest: str, folder: Path) -> Iterator[Plane]:
    """The slices of a DICOM file or a volume, by way of a file of our own naming."""
    header = header_of(content) if ending == ".dcm" else b""
    shown, place = False, Path(tempfile.mkdtemp(dir=folder, prefix="upload-"))
    path = place / f"scan{ending}"
    try:
        path.write_bytes(content)
        for one in read_slices(path):
            series = str(one.facts.get("series", ""))
            alone = ending == ".nii" or not series
            title = name if alone else f"{one.facts.get('modality') or 'DICOM'} {series[-8:]}"
            study = f"scan:{name}:{digest}" if alone else f"series:{series}"
            if not np.isfinite(one.values).any():
                raise Refusal("broken-file", f"{name}: holds no numbers")
            if one.planes > 1 and not shows_something(one.shown()):
                continue
            shown = True
            yield of_slice(one, name=name, study=study, title=shown_name(title), digest=digest,
                           header=header)  # fmt: skip
        if not shown:
            raise Refusal("broken-file", f"{name}: holds nothing but blank planes")
    except ImageError as error:
        raise type(error)(name, error.got, "a whole scan", "Export it again") from None
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _check_total(slices: int, pixels: int, limits: Limits) -> None:
    if slices > limits.slices:
        raise _TooMuch("too-large", f"more than {limits.slices:,} slices at once")
    if pixels > limits.total_pixels:
        raise _TooMuch("too-large", f"more than {limits.total_pixels:,} pixels at once")


def _refusal(name: str, error: ImageError) -> Refusal:
    """An unreadable image as the client is told of it."""
    if isinstance(error, TooLargeError):
        return Refusal("too-large", f"{name}: {error.got}")
    known = "no known image format" not in error.got
    return Refusal("broken-file" if known else "unknown-format", f"{name}: {error.got}")


def _none_readable(found: Upload) -> Refusal:
    """The first file's own refusal, with how many others went the same way."""
    if not found.refused:
        return Refusal("invalid", "files: got no file; expected at least one")
    first = found.refused[0][1]
    others = len(found.refused) - 1
    more = f" ({others} more files could not be read)" if others else ""
    return Refusal(first.code, first.message + more)


def _in_order(planes: list[Plane]) -> list[Plane]:
    """Studies as they came, the planes of each along the body."""
    order = {key: n for n, key in reversed(list(enumerate(one.study for one in planes)))}
    return sorted(planes, key=lambda one: (order[one.study], one.place))
