"""A codestream says how large it is before anything is decoded."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom.encaps import encapsulate

from brainlens.core.codestreams import stated_size
from brainlens.core.dicom import read_dicom
from brainlens.core.errors import TooLargeError

KINDS = {  # Pillow's format and options, and what DICOM calls the codestream
    "jpeg": ("JPEG", {}, "1.2.840.10008.1.2.4.50"),
    "progressive": ("JPEG", {"progressive": True}, "1.2.840.10008.1.2.4.50"),
    "jpeg 2000": ("JPEG2000", {"no_jp2": True}, "1.2.840.10008.1.2.4.90"),
}


def encoded(kind: str, width: int, height: int) -> bytes:
    name, options, _ = KINDS[kind]
    stream = io.BytesIO()
    values = (np.arange(width * height) % 251).astype(np.uint8).reshape(height, width)
    Image.fromarray(values).save(stream, name, **options)
    return stream.getvalue()


def wrapped(path: Path, kind: str, codestream: bytes, width: int, height: int) -> Path:
    """A DICOM file around a codestream, with a size of its own in the header."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.UID(KINDS[kind][2])
    data.SOPClassUID, data.SOPInstanceUID = pydicom.uid.MRImageStorage, "1.2.3"
    data.Rows, data.Columns, data.SamplesPerPixel = height, width, 1
    data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit = 7
    data.PixelData = encapsulate([codestream])
    data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_is_that_of_the_decoded_picture(kind: str) -> None:
    assert stated_size(encoded(kind, 37, 21)) == (37, 21)


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_larger_than_its_header_says_is_not_decoded(tmp_path: Path, kind: str) -> None:
    codestream = encoded(kind, 64, 48)
    (one,) = read_dicom(wrapped(tmp_path / "honest.dcm", kind, codestream, 64, 48))
    assert one.values.shape == (48, 64)
    liar = wrapped(tmp_path / "liar.dcm", kind, codestream, 8, 8)
    with pytest.raises(TooLargeError, match=r"liar.dcm: got a frame of 64 x 48 pixels where its"):
        list(read_dicom(liar))


@given(st.binary(max_size=64), st.sampled_from([b"", b"\xff\xd8", b"\xff\x4f\xff\x51"]))
def test_any_bytes_state_a_size_or_none(rest: bytes, start: bytes) -> None:
    size = stated_size(start + rest)
    assert size is None or min(size) >= 0
