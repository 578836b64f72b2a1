"""Owns what a user hands over: files, folders and zip archives in, the files to read out."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from brainlens.core.errors import ImageError, UserError
from brainlens.core.images import find_images
from brainlens.core.scanfiles import find_scans

ARCHIVE_FILES = 5000  # in one zip
ARCHIVE_BYTES = 4 << 30  # unpacked


@contextmanager
def opened(inputs: Sequence[Path]) -> Iterator[list[Path]]:
    """Files as given, folders as the pictures and scans below them, archives unpacked meanwhile."""
    with tempfile.TemporaryDirectory(prefix="brainlens-") as place:
        files: list[Path] = []
        for number, entry in enumerate(inputs):
            if entry.is_dir():
                files += _below(entry)
            elif entry.suffix.lower() == ".zip":
                files += _below(_unpack(entry, Path(place) / str(number)))
            else:
                files.append(entry)
        yield files


def _below(folder: Path) -> list[Path]:
    scans = find_scans(folder)
    taken = set(scans)
    found = [path for path in find_images(folder) if path not in taken] + scans
    if not found:
        raise UserError(f"{folder}: holds no image. Give a file, or a folder with images")
    return found


def _unpack(archive: Path, place: Path) -> Path:
    """An archive's files, flat in a folder of their own; raises ImageError for a strange one."""
    folder = place / archive.stem
    folder.mkdir(parents=True)
    total = 0
    try:
        with zipfile.ZipFile(archive) as content:
            entries = [entry for entry in content.infolist() if not entry.is_dir()]
            if len(entries) > ARCHIVE_FILES:
                raise ImageError(archive, f"{len(entries)} files", f"at most {ARCHIVE_FILES}")
            for number, entry in enumerate(entries):
                total += entry.file_size
                if total > ARCHIVE_BYTES:
                    raise ImageError(archive, "more than 4 GB unpacked", "less")
                # Names from outside never become paths: only the last part is kept.
                name = PurePosixPath(entry.filename.replace("\\", "/")).name
                target = folder / f"{number:05d}-{name}"
                with content.open(entry) as source, target.open("wb") as out:
                    shutil.copyfileobj(source, out)
    except ImageError:
        raise
    except Exception as error:  # each way of packing has errors of its own
        raise ImageError(archive, str(error) or "a damaged archive", "a zip archive") from None
    return folder
