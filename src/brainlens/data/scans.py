"""Owns what is judged: the grey pictures of a file, of a volume slice by slice.

Enters: a picture, a DICOM file, a NIfTI volume. Leaves: `Picture`s. A study is what one answer is
pooled over: a series of DICOM files, or a volume. Nothing of a DICOM header but its series' number
is kept, so nothing identifies anybody.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainlens.core.errors import ImageError
from brainlens.core.images import open_image, to_grey
from brainlens.core.scanfiles import is_scan, read_slices
from brainlens.data.measures import colourfulness
from brainlens.data.preprocess import Array


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
