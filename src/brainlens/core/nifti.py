"""Owns NIfTI volumes -> slices as a radiologist sees them: the patient's right on the left.

Enters: a `.nii` or `.nii.gz` file (NIfTI 1 or 2). Leaves: slices along one plane, turned by the
file's own orientation so that anterior (or superior) is up. One window for the whole volume.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.core.errors import ConfigError, ImageError, TooLargeError, nearest
from brainlens.core.slices import Slice, percentile_window

Array = np.ndarray[Any, Any]
VOXELS = 250_000_000  # of a volume: 1 GB as read
_BEFORE = 64 << 20  # bytes before the voxels: a packed file may hold far more of nothing
PLANES = {"axial": 2, "coronal": 1, "sagittal": 0}  # the axis (R, A, S) that a slice stands across


def read_volume(path: Path, *, plane: str = "acquired") -> Iterator[Slice]:
    """Every slice of a volume; of a time series its first volume. Raises ImageError."""
    if plane != "acquired" and plane not in PLANES:
        raise ConfigError(f"plane {plane!r}: {nearest(plane, [*PLANES, 'acquired'])}")
    values, spacing, facts = _read(path)
    axis = _thickest(spacing) if plane == "acquired" else PLANES[plane]
    name = next(key for key, value in PLANES.items() if value == axis)
    window = facts.pop("window") or percentile_window(values)
    count = values.shape[axis]
    rest = [spacing[i] for i in range(3) if i != axis]
    across = np.moveaxis(values, axis, 0)  # a view: np.take would copy the volume for each slice
    for number in range(count):
        flat = across[number]  # (x, y), (x, z) or (y, z) towards right, front, up
        upright = flat[::-1, ::-1].T  # rows from front or top; columns from the right, or front
        own = facts | {"plane": name, "spacing": [rest[1], rest[0]], "thickness": spacing[axis]}
        yield Slice(path, number, count, np.ascontiguousarray(upright), window, facts=own)


def _thickest(spacing: tuple[float, ...]) -> int:
    """The axis across which slices were taken: the coarsest one, axial where all are equal."""
    return max((2, 1, 0), key=lambda axis: round(spacing[axis], 3))


def _read(path: Path) -> tuple[Array, tuple[float, ...], dict[str, Any]]:
    """(X, Y, Z) float32 towards right, anterior, superior; mm a voxel; facts of the header."""
    import nibabel

    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # what it says, the error says
    try:
        image: Any = nibabel.load(path)
        raw: Any = image.header
        volumes = image.shape[3:]
        if len(image.shape) < 3 or min(image.shape) < 1 or len(raw.get_data_dtype()) > 0:
            kind = "colour" if len(raw.get_data_dtype()) else f"{image.shape}"
            raise ImageError(path, f"a volume of {kind}", "one number a voxel in three dimensions")
        if math.prod(image.shape[:3]) > VOXELS:
            got = f"{math.prod(image.shape[:3]):,} voxels"
            raise TooLargeError(path, got, f"at most {VOXELS:,}")
        if image.dataobj.offset > _BEFORE:
            raise TooLargeError(path, f"{image.dataobj.offset:,} bytes before the voxels", "fewer")
        first = image.dataobj[(..., *[0] * len(volumes))] if volumes else image.dataobj
        axes: Any = nibabel.orientations
        turned = axes.io_orientation(image.affine)
        values = axes.apply_orientation(np.asarray(first, np.float32), turned)
        order = np.argsort(turned[:, 0])  # the file's axis that goes right, forward, up
        spacing = tuple(float(raw.get_zooms()[axis]) for axis in order)
    except ImageError:
        raise
    except Exception as error:  # a damaged header is met by a dozen kinds, of no one root
        line = " ".join(str(error).split())[:120]
        step = "Fetch or export it again"
        raise ImageError(path, f"a broken volume ({line})", "a whole NIfTI file", step) from None
    low, high = float(raw.get("cal_min", 0)), float(raw.get("cal_max", 0))
    facts = {
        "format": "nifti",
        "volumes": int(np.prod(volumes)) if volumes else 1,
        "window": (low, high) if high > low else None,
    }
    return values, spacing, facts
