"""Owns what a file's first bytes promise: its kind, and whether it is too large to be decoded.

A header that asks for gigabytes is refused before any reader believes it.
"""

from __future__ import annotations

import io
import math
import struct
import warnings

from brainlens.core.dicom import check_deflated
from brainlens.core.errors import ImageError
from brainlens.deploy.service.refusals import Refusal
from brainlens.deploy.service.settings import Limits

_DICOM_NAMES = (".dcm", ".dicom", ".ima", ".dcm.gz")
_NIFTI = {348: (40, "h", b"n+1\0", 344), 540: (16, "q", b"n+2\0", 4)}  # header: dim, type, magic


def is_nifti(content: bytes) -> bool:
    """Whether it is a NIfTI file of one piece, of either version and byte order."""
    return _nifti(content) is not None


def _nifti(content: bytes) -> tuple[int, ...] | None:
    """The dimensions that a NIfTI header states."""
    for order in "<>":
        if len(content) < 352:
            return None
        size = struct.unpack(order + "i", content[:4])[0]
        if size in _NIFTI:
            at, kind, magic, magic_at = _NIFTI[size]
            if content[magic_at : magic_at + 4] == magic:
                return struct.unpack_from(order + "8" + kind, content, at)
    return None


def check_nifti(name: str, content: bytes, limits: Limits) -> None:
    """Refuse a volume whose header states more voxels than the limits, or none."""
    dimensions = _nifti(content) or (0,)
    count = dimensions[0]
    if not 1 <= count <= 7 or any(side < 1 for side in dimensions[1 : count + 1]):
        raise Refusal("broken-file", f"{name}: is a volume without a size")
    voxels = math.prod(dimensions[1 : count + 1])
    if voxels > limits.total_pixels:
        raise Refusal("too-large", f"{name}: {voxels:,} voxels; at most {limits.total_pixels:,}")


def is_dicom(name: str, content: bytes) -> bool:
    """Whether the first bytes, or else the name, say DICOM."""
    return content[128:132] == b"DICM" or name.lower().endswith(_DICOM_NAMES)


def check_dicom(name: str, content: bytes, limits: Limits) -> None:
    """Refuse a file whose header states more pixels than the limits; raises ImageError too."""
    import pydicom

    expected = "a DICOM file with a picture in it"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd values in headers that have no say here
            check_deflated(name, content, limits.unpacked)
            data = pydicom.dcmread(io.BytesIO(content), force=True, stop_before_pixels=True)
            sides = [int(data.get(key) or 0) for key in ("Rows", "Columns")]
            frames = int(data.get("NumberOfFrames") or 1)
    except ImageError:
        raise
    except Exception as error:  # pydicom raises many kinds over broken headers
        line = " ".join(str(error).split())[:120] or type(error).__name__
        raise ImageError(name, f"a broken DICOM file ({line})", expected) from None
    pixels, total = math.prod(sides), math.prod(sides) * frames
    if pixels < 1 or frames < 1:
        raise ImageError(name, "a DICOM file without a picture", expected)
    if pixels > limits.pixels or total > limits.total_pixels or frames > limits.slices:
        stated = f"{sides[1]:,} x {sides[0]:,} pixels in {frames:,} frames"
        raise Refusal("too-large", f"{name}: {stated}")


def check_webp(name: str, content: bytes, limits: Limits) -> None:
    """Refuse a WebP whose canvas is too large: its decoder makes room before it is asked to."""
    if content[:4] == b"RIFF" and content[8:16] == b"WEBPVP8X" and len(content) >= 30:
        width = 1 + int.from_bytes(content[24:27], "little")
        height = 1 + int.from_bytes(content[27:30], "little")
        if width * height > limits.pixels:
            raise Refusal("too-large", f"{name}: {width:,} x {height:,} pixels")
