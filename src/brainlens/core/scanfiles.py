"""Owns which files are scans, and by which reader their slices come.

Enters: a DICOM file, a NIfTI volume, or a folder with such. Leaves: their paths, or Slices.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from brainlens.core.errors import ImageError
from brainlens.core.slices import DICOM, NIFTI, Slice


def is_nifti(path: Path) -> bool:
    """Whether the name says NIfTI."""
    return path.name.lower().endswith(NIFTI)


def is_dicom(path: Path) -> bool:
    """Whether the name or the first bytes say DICOM."""
    if path.name.lower().endswith(DICOM):
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def is_scan(path: Path) -> bool:
    """Whether a file is to be read as a scan and not as a picture."""
    return is_nifti(path) or is_dicom(path)


def find_scans(folder: Path) -> list[Path]:
    """The DICOM and NIfTI files below a folder, by name; hidden ones are left out."""
    found = sorted(folder.rglob("*"), key=lambda path: str(path).casefold())
    return [
        path
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
        and is_scan(path)
    ]


def read_slices(path: Path, *, plane: str = "acquired") -> Iterator[Slice]:
    """The slices of one file, one after the other; raises ImageError.

    `plane` (axial, coronal, sagittal, acquired) is for volumes; DICOM has its own planes.
    """
    if not path.is_file():
        raise ImageError(path, "no such file", "a DICOM file or a NIfTI volume")
    if is_nifti(path):
        from brainlens.core.nifti import read_volume

        yield from read_volume(path, plane=plane)
    else:
        from brainlens.core.dicom import read_dicom

        yield from read_dicom(path)
