"""Owns one slice as the server holds it: the grey picture that is judged, and values to window.

Enters: a Slice of a scan, or a decoded picture. Leaves: a Plane of bounded size.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from brainlens.core.images import to_grey
from brainlens.core.slices import Slice
from brainlens.data.measures import colourfulness

Array = np.ndarray[Any, Any]
SIDE = 1024  # pixels of the longer side that the page gets at most
_DEEP = 65535
_TOLD = ("format", "modality", "plane", "thickness", "instance")  # never who the patient is


@dataclass(frozen=True)
class Plane:
    """One slice, ready to be judged and shown."""

    name: str  # of its file, and the number within it
    study: str  # what belongs together has the same
    title: str  # of the study
    kind: str  # picture, dicom, nifti
    place: tuple[float, int]  # its order within the study: where it lies, its number in the file
    digest: str  # SHA-256 of the file
    grey: Array  # (H, W) uint8, as judged
    values: Array  # (h, w) uint8 or uint16, what a window is laid over
    low: float  # the value that `values` holds as 0
    high: float  # and as its largest
    window: tuple[float, float]
    inverted: bool = False
    colour: float = 0.0  # share of the picture that is clearly coloured
    facts: dict[str, Any] = field(default_factory=dict)
    header: bytes = field(default=b"", repr=False)  # of a DICOM file, for a structured report


def shown(plane: Plane) -> dict[str, Any]:
    """How the values of a plane are to be shown, as plain values."""
    return {
        "width": plane.values.shape[1],
        "height": plane.values.shape[0],
        "bits": 8 * plane.values.itemsize,
        "low": plane.low,
        "high": plane.high,
        "window": list(plane.window),
        "inverted": plane.inverted,
    }


def digest_of(content: bytes) -> str:
    """The SHA-256 of a file, as the audit log has it."""
    return hashlib.sha256(content).hexdigest()


def of_slice(
    one: Slice, *, name: str, study: str, title: str, digest: str, header: bytes = b""
) -> Plane:
    """A slice of a DICOM file or a NIfTI volume."""
    finite = one.values[np.isfinite(one.values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scale = _DEEP / (high - low) if high > low else 0.0
    small = _small(np.nan_to_num(one.values, nan=low, posinf=high, neginf=low))
    deep = np.clip(np.rint((small - low) * scale), 0, _DEEP).astype(np.uint16)
    facts = {key: one.facts[key] for key in _TOLD if one.facts.get(key) not in (None, "")}
    numbered = f"{name} #{one.number + 1}" if one.planes > 1 else name
    return Plane(
        numbered, study, title, str(one.facts.get("format", "scan")),
        (one.place, one.number), digest, one.shown(),
        deep, low, high, _finite(one.window, low, high), one.inverted, 0.0, facts, header,
    )  # fmt: skip


def of_picture(image: Image.Image, *, name: str, study: str, title: str, content: bytes) -> Plane:
    """A decoded image file."""
    grey = to_grey(image)
    small = np.rint(_small(grey.astype(np.float32))).astype(np.uint8)
    facts = {"format": (image.format or "picture").lower()}
    return Plane(
        name, study, title, "picture", (0.0, 0), digest_of(content), grey, small, 0.0, 255.0,
        (0.0, 255.0), False, colourfulness(image), facts,
    )  # fmt: skip


def _small(values: Array) -> Array:
    """At most SIDE pixels a side, by area."""
    longest = max(values.shape)
    if longest <= SIDE:
        return values
    width, height = (max(1, round(side * SIDE / longest)) for side in values.shape[::-1])
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


def _finite(window: tuple[float, float], low: float, high: float) -> tuple[float, float]:
    """A window in numbers that JSON has."""
    a, b = (float(v) for v in window)
    return (a, b) if np.isfinite(a) and np.isfinite(b) and b > a else (low, high)
