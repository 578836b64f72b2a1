"""Owns one slice of a scan, whatever file it came from, and which files are scans at all.

Enters: a DICOM file, a NIfTI volume, or a folder with such. Leaves: Slices: the scanner's values
with the window to show them in, in the order of the body. `dicom.py` and `nifti.py` do the reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.core.errors import ImageError

Array = np.ndarray[Any, Any]
_PERCENTILES = (0.5, 99.5)  # of the values, where the file names no window
_NIFTI = (".nii", ".nii.gz")
_DICOM = (".dcm", ".dcm.gz", ".dicom", ".ima")


@dataclass(frozen=True)
class Slice:
    """One plane of a scan."""

    path: Path
    number: int  # of the plane within its file, from 0
    planes: int  # of the file
    values: Array  # (H, W) float32, as measured (rescale slope and intercept applied)
    window: tuple[float, float]  # the values shown black and white
    inverted: bool = False  # MONOCHROME1: low values are shown bright
    facts: dict[str, Any] = field(default_factory=dict)  # modality, series, position, spacing

    @property
    def name(self) -> str:
        """The file's name without its ending, and the plane's number where there are several."""
        stem = self.path.name
        for ending in (*_NIFTI, *_DICOM):
            if stem.lower().endswith(ending):
                stem = stem[: -len(ending)]
                break
        digits = len(str(self.planes - 1))
        return stem if self.planes == 1 else f"{stem}-{self.number:0{digits}d}"

    def shown(self, window: tuple[float, float] | None = None) -> Array:
        """(H, W) uint8: the window stretched over black to white, what lies outside clipped."""
        low, high = window or self.window
        scaled = (self.values - low) * (255 / (high - low)) if high > low else 0 * self.values
        grey = np.rint(np.clip(np.nan_to_num(scaled), 0, 255)).astype(np.uint8)
        return 255 - grey if self.inverted else grey


def percentile_window(values: Array) -> tuple[float, float]:
    """The values between which nearly all of a picture lies; its range where that is nothing."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    low, high = (float(v) for v in np.percentile(finite, _PERCENTILES))
    return (low, high) if high > low else (float(finite.min()), float(finite.max()))


def is_nifti(path: Path) -> bool:
    """Whether the name says NIfTI."""
    return path.name.lower().endswith(_NIFTI)


def is_dicom(path: Path) -> bool:
    """Whether the name or the first bytes say DICOM."""
    if path.name.lower().endswith(_DICOM):
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
