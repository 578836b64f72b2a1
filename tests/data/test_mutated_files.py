"""A thousand damaged files end in a picture or in one clear line, never in a traceback."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import imagecodecs
import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, MRImageStorage

from brainlens.core.errors import ImageError
from brainlens.data.inputs import opened
from brainlens.data.scans import read_pictures


def head() -> np.ndarray:
    y, x = np.mgrid[:64, :64] - 31.5
    return np.where(x**2 + y**2 < 700, 120 + 40 * np.cos(x / 4), 0).astype(np.uint8)


def picture(form: str) -> bytes:
    data = io.BytesIO()
    Image.fromarray(head()).save(data, form)
    return data.getvalue()


def dicom(jpeg12: bool = False) -> bytes:
    data = pydicom.Dataset()
    data.SOPClassUID, data.SOPInstanceUID = MRImageStorage, UID("1.2.3")
    data.Modality, data.SeriesInstanceUID = "MR", "1.2.3.4"
    data.StudyInstanceUID, data.InstanceNumber = "1.2.3.5", 1
    data.Rows, data.Columns = 64, 64
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.PixelData = (head().astype("<u2") * 8).tobytes()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = MRImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    if jpeg12:
        data.BitsStored, data.HighBit = 12, 11
        samples = head().astype(np.uint16) * 8
        frame = imagecodecs.jpeg_encode(samples, level=95, bitspersample=12)
        data.PixelData = pydicom.encaps.encapsulate([bytes(frame)])
        data["PixelData"].VR = "OB"
        data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGExtended12Bit
    out = io.BytesIO()
    pydicom.dcmwrite(out, data, enforce_file_format=True)
    return out.getvalue()


def nifti() -> bytes:
    volume = np.repeat(head()[..., None], 3, 2).astype(np.float32)
    image: Any = nibabel.Nifti1Image(volume, np.eye(4))  # type: ignore[no-untyped-call]
    return bytes(image.to_bytes())


KINDS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "jpeg": ("x.jpg", lambda: picture("JPEG")),
    "png": ("x.png", lambda: picture("PNG")),
    "dicom": ("x.dcm", dicom),
    "dicom, jpeg of 12 bits": ("x.dcm", lambda: dicom(jpeg12=True)),
    "nifti": ("x.nii", nifti),
}


def mutated(data: bytes, seed: int) -> bytes:
    """Some bytes changed, most often near the beginning, where the meaning is; at times cut."""
    draw = np.random.default_rng(seed)
    changed = bytearray(data)
    reach = len(data) if seed % 2 else min(len(data), 600)
    for place in draw.integers(0, reach, int(draw.integers(1, 12))):
        changed[place] = int(draw.integers(0, 256))
    return bytes(changed[: int(draw.integers(1, len(data)))] if seed % 7 == 0 else changed)


def answered(path: Path) -> bool:
    """Whether a damaged file was read after all; anything but a picture or one line fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the readers' own, of which a damaged file has many
        try:
            found = read_pictures(path)
        except ImageError as error:
            said = str(error)
        else:
            assert all(one.grey.dtype == np.uint8 and one.grey.ndim == 2 for one in found)
            return True
    assert path.name in said
    assert "\n" not in said
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_damaged_files(kind: str, tmp_path: Path) -> None:
    name, make = KINDS[kind]
    whole = make()
    (tmp_path / name).write_bytes(whole)
    assert answered(tmp_path / name)
    for seed in range(40):
        (tmp_path / name).write_bytes(mutated(whole, seed))
        answered(tmp_path / name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_damaged_files(kind: str, tmp_path: Path) -> None:
    name, make = KINDS[kind]
    whole, fates = make(), []
    for seed in range(1000, 1250):
        (tmp_path / name).write_bytes(mutated(whole, seed))
        fates.append(answered(tmp_path / name))
    assert set(fates) == {True, False}  # both happen, or the damage was none


def archive(packing: int) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", packing) as file:
        file.writestr("series/a.dcm", dicom())
        file.writestr("series/b.png", picture("PNG"))
    return data.getvalue()


@contextmanager
def one_line(path: Path) -> Iterator[None]:
    """An error of the archive is well, if it is one line that names it."""
    try:
        yield
    except ImageError as error:
        said = str(error)
        assert said.startswith(f"{path}: got ") and "\n" not in said  # noqa: PT018


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damaged_archives_are_one_line(packing: int, tmp_path: Path) -> None:
    path, whole = tmp_path / "x.zip", archive(packing)
    path.write_bytes(whole)
    with opened([path]) as found:
        assert [answered(file) for file in found] == [True, True]
    for seed in range(100):
        path.write_bytes(mutated(whole, seed))
        with one_line(path), opened([path]) as found:
            for file in found:
                answered(file)
