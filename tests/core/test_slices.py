"""Slices of scans: every file of the shared folder, and windows by hand."""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from brainlens.core import packed
from brainlens.core.dicom import check_deflated, read_dicom
from brainlens.core.errors import ConfigError, ImageError, TooLargeError
from brainlens.core.scanfiles import find_scans, is_scan, read_slices
from brainlens.core.slices import Slice
from tests.data.test_mutated_files import mutated

nibabel = pytest.importorskip("nibabel")
pydicom = pytest.importorskip("pydicom")


def volume(path: Path, values: np.ndarray, affine: np.ndarray, **header: float) -> Path:
    image = nibabel.Nifti1Image(values, affine)
    for key, value in header.items():
        image.header[key] = value
    nibabel.save(image, path)
    return path


def dicom(path: Path, pixels: np.ndarray, **tags: object) -> Path:
    """A minimal uncompressed MR file."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.SOPClassUID, data.SOPInstanceUID = pydicom.uid.MRImageStorage, "1.2.3"
    data.Rows, data.Columns = pixels.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 0
    for key, value in tags.items():
        setattr(data, key, value)
    data.PixelData = pixels.astype("<u2").tobytes()
    data.save_as(path, enforce_file_format=True)
    return path


def test_a_window_shows_its_two_ends_black_and_white() -> None:
    values = np.array([[0.0, 10.0, 20.0, 30.0, 40.0]], np.float32)
    one = Slice(Path("a.dcm"), 0, 1, values, (10.0, 30.0))
    assert one.shown().tolist() == [[0, 0, 128, 255, 255]]
    assert one.shown((0.0, 40.0)).tolist() == [[0, 64, 128, 191, 255]]
    turned = Slice(Path("a.dcm"), 0, 1, values, (10.0, 30.0), inverted=True)
    assert turned.shown().tolist() == [[255, 255, 127, 0, 0]]


def test_constant_and_broken_values_are_black() -> None:
    values = np.array([[np.nan, 5.0]], np.float32)
    assert Slice(Path("a"), 0, 1, values, (5.0, 5.0)).shown().tolist() == [[0, 0]]


def test_the_dicom_window_is_that_of_the_standard(tmp_path: Path) -> None:
    """PS3.3 C.11.2.1.2: centre 100, width 51 runs from 74.5 to 124.5."""
    pixels = np.array([[0, 50], [100, 200]])
    file = dicom(tmp_path / "a.dcm", pixels, WindowCenter="100", WindowWidth="51",
                 RescaleSlope="2", RescaleIntercept="-10")  # fmt: skip
    (one,) = read_dicom(file)
    assert one.window == (74.5, 124.5)
    assert one.values.tolist() == [[-10, 90], [190, 390]]
    exact = dicom(tmp_path / "b.dcm", pixels, WindowCenter="100", WindowWidth="50",
                  VOILUTFunction="LINEAR_EXACT")  # fmt: skip
    assert next(read_dicom(exact)).window == (75.0, 125.0)


def test_padding_has_no_say_in_the_window(tmp_path: Path) -> None:
    pixels = np.full((20, 20), 60000)
    pixels[5:15, 5:15] = np.arange(100).reshape(10, 10)
    file = dicom(tmp_path / "a.dcm", pixels, PixelPaddingValue=60000)
    assert next(read_dicom(file)).window[1] < 100


def test_slices_of_a_series_follow_the_body(tmp_path: Path) -> None:
    for number, height in enumerate([30.0, 10.0, 20.0]):
        dicom(tmp_path / f"{number}.dcm", np.full((4, 4), height), SeriesInstanceUID="1.9",
              InstanceNumber=str(number), ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
              ImagePositionPatient=[0, 0, height])  # fmt: skip
    series = [next(read_dicom(file)) for file in find_scans(tmp_path)]
    series.sort(key=lambda one: one.place)
    assert [one.values[0, 0] for one in series] == [10, 20, 30]


def test_without_positions_the_instance_number_counts() -> None:
    one = Slice(Path("a"), 0, 1, np.zeros((1, 1)), (0, 1), facts={"instance": 10})
    assert one.place == 10


def test_an_axial_slice_has_the_front_up_and_the_right_of_the_patient_left(tmp_path: Path) -> None:
    values = np.zeros((5, 6, 7), np.float32)
    values[4, 5, 3] = 9  # right-most, front-most voxel of the fourth slice
    file = volume(tmp_path / "a.nii", values, np.eye(4))
    planes = list(read_slices(file, plane="axial"))
    assert len(planes) == 7
    assert planes[3].values.shape == (6, 5)
    assert planes[3].values[0, 0] == 9
    mirrored = np.diag([-1.0, 1, 1, 1])  # the same head, stored from right to left
    other = volume(tmp_path / "b.nii", values[::-1].copy(), mirrored)
    np.testing.assert_array_equal(
        next(iter(read_slices(other, plane="axial"))).values, planes[0].values
    )
    np.testing.assert_array_equal(
        list(read_slices(other, plane="axial"))[3].values, planes[3].values
    )


def test_the_acquired_plane_is_the_coarsest(tmp_path: Path) -> None:
    file = volume(tmp_path / "a.nii", np.zeros((5, 6, 7), np.float32), np.diag([1.0, 5, 1, 1]))
    planes = list(read_slices(file))
    assert planes[0].facts["plane"] == "coronal"
    assert len(planes) == 6
    assert planes[0].values.shape == (7, 5)
    with pytest.raises(ConfigError, match="did you mean 'axial'"):
        list(read_slices(file, plane="axal"))


def test_the_window_of_the_header_counts(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(0, 900, (4, 4, 4)).astype(np.float32)
    file = volume(tmp_path / "a.nii", values, np.eye(4), cal_min=100, cal_max=700)
    assert next(iter(read_slices(file))).window == (100, 700)
    plain = volume(tmp_path / "b.nii", values, np.eye(4))
    low, high = next(iter(read_slices(plain))).window
    assert (low, high) == pytest.approx(tuple(np.percentile(values, [0.5, 99.5])), rel=1e-5)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.dcm"])
def test_broken_files_are_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing of that kind" * 30)
    with pytest.raises(ImageError) as caught:
        list(read_slices(tmp_path / name))
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_every_syntax_of_one_picture_gives_its_pixels(shared: Path) -> None:
    folder = shared / "data" / "dicom" / "dicom_pydicom"
    (expected,) = read_slices(folder / "MR_small.dcm")
    for name in ("RLE", "bigendian", "expb", "implicit", "jp2klossless", "jpeg_ls_lossless",
                 "padded"):  # fmt: skip
        (one,) = read_slices(folder / f"MR_small_{name}.dcm")
        if name != "expb":  # another picture
            np.testing.assert_array_equal(one.values, expected.values, err_msg=name)
        assert one.values.std() > 10


def jpeg(path: Path, pixels: np.ndarray, *, lossless: bool, cut: int | None = None) -> Path:
    """Pixels below 4096 as JPEG of 12 bits, whole or cut off after so many bytes."""
    dicom(path, pixels)
    imagecodecs, data = pytest.importorskip("imagecodecs"), pydicom.dcmread(path)
    samples = pixels.astype(np.uint16)
    if lossless:
        frame = imagecodecs.ljpeg_encode(samples, bitspersample=12)
    else:
        frame = imagecodecs.jpeg_encode(samples, level=100, bitspersample=12)
    data.PixelData = pydicom.encaps.encapsulate([bytes(frame[:cut])])
    data["PixelData"].VR = "OB"
    uid = pydicom.uid
    data.file_meta.TransferSyntaxUID = uid.JPEGLosslessSV1 if lossless else uid.JPEGExtended12Bit
    data.BitsStored, data.HighBit = 12, 11
    data.save_as(path)
    return path


@pytest.mark.parametrize("lossless", [True, False])
def test_jpeg_of_12_bits_is_read_as_it_was_or_nearly(tmp_path: Path, lossless: bool) -> None:
    y, x = np.mgrid[:64, :64]
    pixels = np.round(2000 + 1500 * np.sin(x / 9) * np.cos(y / 7))
    (one,) = read_slices(jpeg(tmp_path / "a.dcm", pixels, lossless=lossless))
    assert np.abs(one.values - pixels).max() <= (0 if lossless else 12)
    (again,) = read_slices(tmp_path / "a.dcm")
    np.testing.assert_array_equal(again.values, one.values)


@pytest.mark.parametrize("cut", [40, 400])  # in the tables, in the picture
@pytest.mark.parametrize("lossless", [True, False])
def test_broken_jpeg_of_12_bits_is_one_line(tmp_path: Path, lossless: bool, cut: int) -> None:
    noise = np.random.default_rng(0).integers(0, 4096, (64, 64))
    with pytest.raises(ImageError, match=r"b\.dcm: got a broken DICOM file"):
        list(read_slices(jpeg(tmp_path / "b.dcm", noise, lossless=lossless, cut=cut)))


def test_a_real_jpeg_of_12_bits_is_read(shared: Path) -> None:
    (one,) = read_slices(shared / "data" / "dicom" / "dicom_dwv_bbmri" / "nema-mr1_jply.dcm")
    assert one.values.shape == (512, 512)
    assert one.values.max() == 3970  # as GDCM's own reader, which then aborts, has it


def test_the_colours_of_jpeg_2000_are_undone_once() -> None:
    path = pydicom.examples.get_path("jpeg2k")
    assert pydicom.dcmread(path).PhotometricInterpretation == "YBR_RCT"
    (one,) = read_slices(path)
    rgb = pydicom.pixels.pixel_array(path)
    np.testing.assert_allclose(one.values, rgb @ [0.299, 0.587, 0.114], atol=0.01)


def test_damaged_jpeg_2000_does_not_take_the_process_down(shared: Path, tmp_path: Path) -> None:
    whole = (shared / "data/dicom/dicom_pydicom/MR_small_jp2klossless.dcm").read_bytes()
    path = tmp_path / "x.dcm"
    path.write_bytes(mutated(whole, 6075))  # in GDCM a C++ exception that nobody catches
    with pytest.raises(ImageError, match=r"x\.dcm"):
        list(read_slices(path))


def test_a_truncated_file_is_refused(shared: Path) -> None:
    with pytest.raises(ImageError, match=r"MR_truncated\.dcm: got a broken DICOM file"):
        list(read_slices(shared / "data" / "dicom" / "dicom_pydicom" / "MR_truncated.dcm"))


def test_every_shared_scan_is_read_or_refused_in_one_line(shared: Path) -> None:
    read, refused = 0, []
    folder = shared / "data" / "dicom" / "dicom_nibabel"
    empty = {folder / "decimal_rescale.dcm", *folder.glob("*.gz")}  # zeros in a patient's place
    for path in find_scans(shared / "data" / "dicom"):
        try:
            for one in read_slices(path):
                grey = one.shown()
                assert grey.dtype == np.uint8
                assert grey.std() > 1 or path in empty, path
                read += 1
        except ImageError as error:
            refused.append(error.path.name)
    assert read >= 40
    assert refused == ["csa_slice_norm.dcm", "MR_truncated.dcm"]  # no picture; pixels missing


def test_a_real_series_is_sorted_by_place(shared: Path) -> None:
    files = find_scans(shared / "data" / "dicom" / "dicom_studyforrest_7T_T1")
    slices = sorted((next(read_slices(file)) for file in files), key=lambda one: one.place)
    number = [one.facts["instance"] for one in slices]
    assert len(slices) == 20
    assert number in (sorted(number), sorted(number, reverse=True))


def test_pictures_are_no_scans(shared: Path) -> None:
    assert not is_scan(shared / "data" / "sr" / "Set5" / "baby.png")
    assert is_scan(shared / "data" / "dicom" / "dicom_mr_head_barre" / "MR-MONO2-16-head.dcm")


def deflated(path: Path, content: bytes) -> Path:
    """A file in the deflated transfer syntax whose data set is `content`."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    stream = io.BytesIO()
    pydicom.filewriter.write_file_meta_info(pydicom.filebase.DicomFileLike(stream), meta)
    packer = zlib.compressobj(wbits=-15)
    path.write_bytes(
        bytes(128) + b"DICM" + stream.getvalue() + packer.compress(content) + packer.flush()
    )
    return path


def test_a_deflated_file_is_read_as_the_plain_one(tmp_path: Path) -> None:
    plain = dicom(tmp_path / "a.dcm", np.arange(60).reshape(6, 10))
    data = plain.read_bytes()
    at = data.index(b"\x08\x00\x16\x00UI")  # the first element after the file's own header
    (one,) = read_dicom(deflated(tmp_path / "b.dcm", data[at:]))
    np.testing.assert_array_equal(one.values, next(read_dicom(plain)).values)


def bomb(path: Path) -> Path:
    """A file of its ending's kind that unpacks to 40,000,000 bytes of nothing."""
    if path.name == "a.dcm":
        return deflated(path, bytes(40_000_000))
    path.write_bytes(gzip.compress(bytes(40_000_000), 1))
    return path


@pytest.mark.parametrize("name", ["a.dcm", "b.dcm.gz"])
def test_a_packed_file_is_unpacked_no_further_than_the_limit(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed.gunzip, "__defaults__", (1 << 20,))
    monkeypatch.setattr(check_deflated, "__defaults__", (1 << 20,))
    file = bomb(tmp_path / name)
    tracemalloc.start()
    with pytest.raises(TooLargeError, match="unpacks to more than 1,048,576 bytes"):
        list(read_slices(file))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8 << 20


def test_a_header_that_asks_for_more_than_the_limits_is_refused_unread(tmp_path: Path) -> None:
    wide = dicom(tmp_path / "a.dcm", np.zeros((4, 4)), NumberOfFrames="20000000")
    with pytest.raises(TooLargeError, match=r"20,000,000 frames of 4 x 4 pixels; expected at most"):
        list(read_slices(wide))
    file = volume(tmp_path / "b.nii", np.zeros((4, 4, 4), np.int16), np.eye(4))
    head = bytearray(file.read_bytes())
    for place, form, values, words in (
        (40, "<8h", (3, 32767, 32767, 32767, 1, 1, 1, 1), "voxels; expected at most 250,000,000"),
        (108, "<f", (2.0**33,), "8,589,934,592 bytes before the voxels"),
    ):
        content = bytearray(head)
        struct.pack_into(form, content, place, *values)
        (tmp_path / "c.nii.gz").write_bytes(gzip.compress(bytes(content)))
        with pytest.raises(TooLargeError, match=words):
            list(read_slices(tmp_path / "c.nii.gz"))


def test_of_a_time_series_the_first_volume_is_read(tmp_path: Path) -> None:
    values = np.random.default_rng(3).integers(0, 900, (4, 5, 6, 3), dtype=np.int16)
    turned = np.array([[0, 0, 2.0, 0], [-3.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1]])
    series = volume(tmp_path / "a.nii", values, turned)
    first = volume(tmp_path / "b.nii", values[..., 0].copy(), turned)
    ours, theirs = list(read_slices(series)), list(read_slices(first))
    assert [one.facts["spacing"] for one in ours] == [one.facts["spacing"] for one in theirs]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    canonical = nibabel.as_closest_canonical(nibabel.load(first))
    assert ours[0].facts["thickness"] == max(canonical.header.get_zooms())
    oracle = np.take(canonical.get_fdata(), 0, int(np.argmax(canonical.header.get_zooms())))
    np.testing.assert_array_equal(ours[0].values, oracle[::-1, ::-1].T)


def test_a_header_of_no_known_kind_is_one_line(tmp_path: Path) -> None:
    whole = dicom(tmp_path / "a.dcm", np.eye(64) * 900, SeriesInstanceUID="1.2.3.4").read_bytes()
    damaged = whole.replace(b"\x20\x00\x0e\x00UI", b"\x20\x00\x0e\x00U\xf3")
    assert damaged != whole
    (tmp_path / "a.dcm").write_bytes(damaged)
    with pytest.raises(ImageError, match=r"a\.dcm: got a broken DICOM file"):
        list(read_slices(tmp_path / "a.dcm"))
