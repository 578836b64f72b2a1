"""Owns one slice of a scan, whatever file it came from: the scanner's values and how to show them.

`dicom.py` and `nifti.py` make them; `scanfiles.py` knows which of the two reads a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_PERCENTILES = (0.5, 99.5)  # of the values, where the file names no window
NIFTI = (".nii", ".nii.gz")
DICOM = (".dcm", ".dcm.gz", ".dicom", ".ima")


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
        for ending in (*NIFTI, *DICOM):
            if stem.lower().endswith(ending):
                stem = stem[: -len(ending)]
                break
        digits = len(str(self.planes - 1))
        return stem if self.planes == 1 else f"{stem}-{self.number:0{digits}d}"

    @property
    def place(self) -> float:
        """Where it lies in its series: mm along the normal of its plane, else its number there."""
        along = self.facts.get("along")
        return float(self.facts.get("instance") or self.number if along is None else along)

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
