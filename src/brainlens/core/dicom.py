"""Owns DICOM files -> slices, in every transfer syntax that MR scanners and archives write.

Enters: a file (a gzipped one too), single or multi-frame, or a folder that holds series. Leaves:
slices with rescale applied and the file's own window (PS3.3 C.11.2), or percentiles where it names
none. `pydicom` parses; Pillow, CharLS and `dicomjpeg` decompress. No patient's name is read.
"""

from __future__ import annotations

import io
import logging
import math
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.core.codestreams import stated_size
from brainlens.core.errors import ImageError, TooLargeError
from brainlens.core.packed import GZIP, UNPACKED, gunzip, inflate
from brainlens.core.slices import Slice, percentile_window

Array = np.ndarray[Any, Any]
_GREY = {"MONOCHROME1", "MONOCHROME2"}
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_EXPECTED = "a DICOM file with a picture in it"
PIXELS = 250_000_000  # of all frames of a file: 1 GB as read
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_LONG = {b"OB", b"OW", b"OF", b"SQ", b"UT", b"UN"}  # kinds of value with a length of 4 bytes


def read_dicom(path: Path) -> Iterator[Slice]:
    """The frames of one file as slices; raises ImageError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd values in headers that have no say here
        data = _parse(path)
        try:
            frames = _pixels(path, data)  # (N, H, W)
            slices = [_slice(path, data, frames, number) for number in range(len(frames))]
        except ImageError:
            raise
        except Exception as error:  # decoders raise what they like; headers are parsed as asked for
            raise _broken(path, error) from error
    yield from slices


def read_dataset(path: Path, *, force: bool = False) -> Any:
    """The elements of a file, a gzipped or deflated one too; pydicom's errors, and ImageError.

    `force`: a file that does not begin as DICOM does is read all the same.
    """
    import pydicom

    content = path.read_bytes()
    if content[:2] == GZIP:
        content = gunzip(path, content)
    check_deflated(path, content)
    return pydicom.dcmread(io.BytesIO(content), force=force)


def _parse(path: Path) -> Any:
    from pydicom.errors import InvalidDicomError

    logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # what it logs, it raises too
    try:
        data = read_dataset(path, force=path.suffix.lower() == ".dcm")
        if "Rows" not in data or "PixelData" not in data:
            raise ImageError(path, "a DICOM file without a picture", _EXPECTED)
        sides = [int(_number(data, key) or 1) for key in ("NumberOfFrames", "Rows", "Columns")]
        if math.prod(sides) > PIXELS:
            got = f"{sides[0]:,} frames of {sides[2]:,} x {sides[1]:,} pixels"
            raise TooLargeError(path, got, f"at most {PIXELS:,} pixels")
        _check_encoded(path, data, sides[2], sides[1])
        return data
    except ImageError:
        raise
    except InvalidDicomError:
        raise ImageError(path, "no DICOM file", _EXPECTED, "Check the file") from None
    except OSError as error:
        raise ImageError(path, f"a file that cannot be read ({error})", _EXPECTED) from None
    except Exception as error:  # pydicom raises many kinds over broken headers
        raise _broken(path, error) from error


def check_deflated(name: object, content: bytes, most: int = UNPACKED) -> None:
    """Raises TooLargeError for a deflated file that pydicom would unpack without a limit."""
    at = 132 if content[128:132] == b"DICM" else 0
    if _DEFLATED not in content[at : at + 4096]:
        return
    while content[at : at + 2] == b"\x02\x00":  # the group that is never deflated
        long = content[at + 4 : at + 6] in _LONG
        place, kind, size = (at + 8, "<I", 12) if long else (at + 6, "<H", 8)
        if len(content) < at + size:
            break
        at += size + int(struct.unpack_from(kind, content, place)[0])
    inflate(name, content[at:], most)


def _check_encoded(path: Path, data: Any, width: int, height: int) -> None:
    """Raises ImageError for an encoded frame that would decode to more than the header says."""
    from pydicom.encaps import generate_frames

    if not data.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    for frame in generate_frames(data.PixelData, number_of_frames=data.get("NumberOfFrames", 1)):
        size = stated_size(frame)
        if size and size[0] * size[1] > width * height:
            got = f"a frame of {size[0]:,} x {size[1]:,} pixels where its header says "
            raise TooLargeError(path, f"{got}{width:,} x {height:,}", "the size it says")


def _pixels(path: Path, data: Any) -> Array:
    """(N, H, W) float32 of the stored values, colour made grey."""
    from pydicom.pixels.processing import convert_color_space

    import brainlens.core.dicomjpeg  # noqa: F401

    stored = np.asarray(data.pixel_array)
    colour = int(data.get("SamplesPerPixel", 1)) == 3
    kind = str(data.get("PhotometricInterpretation", "MONOCHROME2"))
    if colour:
        if kind.startswith("YBR_FULL"):  # JPEG 2000 undoes its own YBR_RCT and YBR_ICT
            stored = convert_color_space(stored, kind, "RGB")
        stored = stored.astype(np.float32) @ _LUMA
    elif kind not in _GREY:
        raise ImageError(path, f"pixels of kind {kind}", "grey or RGB pixels", "Export as grey")
    frames = stored.astype(np.float32)
    return frames if frames.ndim == 3 else frames[None]


def _slice(path: Path, data: Any, frames: Array, number: int) -> Slice:
    """One frame with its window and its place."""
    slope, intercept = 1.0, 0.0
    rescale = _of_frame(data, number, "PixelValueTransformationSequence")
    if (found := _number(rescale, "RescaleSlope")) is not None and found != 0:
        slope, intercept = found, _number(rescale, "RescaleIntercept") or 0.0
    values = frames[number] * slope + intercept
    voi = _of_frame(data, number, "FrameVOILUTSequence")
    window = _window(voi) or percentile_window(_without_padding(data, values, frames[number]))
    orientation = _numbers(_of_frame(data, number, "PlaneOrientationSequence"),
                           "ImageOrientationPatient", 6)  # fmt: skip
    position = _numbers(_of_frame(data, number, "PlanePositionSequence"), "ImagePositionPatient", 3)
    along = None
    if orientation is not None and position is not None:
        along = float(np.dot(np.cross(orientation[:3], orientation[3:]), position))
    facts = {
        "format": "dicom",
        "modality": str(data.get("Modality", "")),
        "series": str(data.get("SeriesInstanceUID", "")),
        "instance": int(_number(data, "InstanceNumber") or 0),
        "along": along,  # mm along the normal of the plane
        "transfer_syntax": str(getattr(data.file_meta, "TransferSyntaxUID", "")),
    }
    inverted = data.get("PhotometricInterpretation") == "MONOCHROME1"
    return Slice(path, number, len(frames), values, window, inverted, facts)


def _window(voi: Any) -> tuple[float, float] | None:
    """The first window of a header as the values shown black and white (PS3.3 C.11.2.1.2)."""
    centre, width = _number(voi, "WindowCenter"), _number(voi, "WindowWidth")
    if centre is None or width is None or width < 1:
        return None
    if str(voi.get("VOILUTFunction", "LINEAR")).upper() == "LINEAR_EXACT":
        return centre - width / 2, centre + width / 2
    half = (width - 1) / 2
    return (centre - 0.5 - half, centre - 0.5 + half) if half else None


def _without_padding(data: Any, values: Array, stored: Array) -> Array:
    """The values less those that only fill the picture up."""
    padding = _number(data, "PixelPaddingValue")
    kept = values[stored != padding] if padding is not None else values
    return kept if kept.size else values


def _of_frame(data: Any, number: int, group: str) -> Any:
    """The data set that holds a frame's own attributes: of multi-frame files one of its groups."""
    shared = data.get("SharedFunctionalGroupsSequence") or []
    frames = data.get("PerFrameFunctionalGroupsSequence") or []
    for holder in [*frames[number : number + 1], *shared[:1]]:
        found = holder.get(group)
        if found:
            return found[0]
    return data


def _number(data: Any, name: str) -> float | None:
    """A number of a header, the first of several; None where it is missing or no number."""
    try:
        value = data.get(name)
        if value is None or isinstance(value, str):
            return float(value) if value else None
        return float(value[0] if hasattr(value, "__len__") else value)
    except (TypeError, ValueError, IndexError):
        return None


def _numbers(data: Any, name: str, count: int) -> Array | None:
    try:
        values = np.array([float(v) for v in data.get(name) or []])
    except (TypeError, ValueError):
        return None
    return values if values.size == count else None


def _broken(path: Path, error: Exception) -> ImageError:
    line = " ".join(str(error).split())[:160] or type(error).__name__
    step = "Fetch or export it again"
    return ImageError(path, f"a broken DICOM file ({line})", "a whole one", step)
