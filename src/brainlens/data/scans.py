"""Owns what is asked: files, folders and archives in, grey pictures out, volumes slice by slice.

Enters: paths of pictures, DICOM files, NIfTI volumes, folders and zip archives. Leaves: the files
to read, and `Picture`s. A study is what one answer is pooled over: a series of DICOM files, or a
volume. Nothing of a DICOM header but its series' number is kept, so nothing identifies anybody.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from brainlens.core.errors import ImageError, UserError
from brainlens.core.images import find_images, open_image, to_grey
from brainlens.core.scanfiles import find_scans, is_scan, read_slices
from brainlens.data.measures import colourfulness
from brainlens.data.preprocess import Array

ARCHIVE_FILES = 5000  # in one zip
ARCHIVE_BYTES = 4 << 30  # unpacked


@dataclass(frozen=True)
class Picture:
    """One grey picture of a file."""

    path: str
    number: int  # of the slice in its file, from 0
    slices: int  # of the file; 1 for a picture
    study: str = ""  # what its answer is pooled with; "" for a picture that stands alone
    position: float = 0.0  # place in its study
    colour: float = 0.0  # share that is clearly coloured, as MRI is not
    grey: Array = dataclasses.field(default_factory=lambda: np.zeros((0, 0), np.uint8), repr=False)

    @property
    def name(self) -> str:
        """The path, and the slice where there are several."""
        return self.path if self.slices == 1 else f"{self.path} slice {self.number + 1}"

    def without_pixels(self) -> Picture:
        """The same without its pixels, to keep thousands of them."""
        return dataclasses.replace(self, grey=np.zeros((0, 0), np.uint8))


def read_pictures(file: Path, *, plane: str = "acquired") -> list[Picture]:
    """The grey pictures of a file, blank planes left out; raises ImageError."""
    if not is_scan(file):
        image = open_image(file)
        return [Picture(str(file), 0, 1, colour=colourfulness(image), grey=to_grey(image))]
    found = []
    for one in read_slices(file, plane=plane):
        series = str(one.facts.get("series", "")) if one.planes == 1 else ""
        study = series or (str(file) if one.planes > 1 else "")
        grey = one.shown()
        if one.planes > 1 and not shows_something(grey):
            continue
        found.append(Picture(str(file), one.number, one.planes, study, one.place, grey=grey))
    if not found:
        raise ImageError(file, "nothing but blank planes", "a scan that shows something")
    return found


def shows_something(grey: Array) -> bool:
    """Whether a plane shows more than noise: the ends of a volume are air."""
    return float((grey > 40).mean()) > 0.05


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
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        raise ImageError(archive, str(error) or "a damaged archive", "a zip archive") from None
    return folder
