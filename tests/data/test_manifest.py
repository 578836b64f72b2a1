"""What somebody knows about images is joined by file, and unknown stays unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainlens.core.errors import IndexFileError
from brainlens.data.manifest import COLUMN_NAMES, Known, read_manifest


def manifest(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    """A manifest of these lines."""
    path = folder / "manifest.csv"
    path.write_text("\n".join((*lines, "")), encoding)
    return path


def test_all_facts_of_an_image_are_read(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        "file,patient,fold,twin_group,split,expert_label,comment",
        "a/1.png,7,2,t5,Training,meningioma,blurred",
    )
    expected = Known("patient-7", "2", "t5", "Training", "meningioma")
    assert read_manifest(path) == {(tmp_path / "a" / "1.png").resolve(): expected}


def test_paths_start_from_the_manifest_not_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "here").mkdir()
    manifest(tmp_path / "set", "file,fold", "1.png,1", "../other/2.png,2", f"{tmp_path}/3.png,3")
    monkeypatch.chdir(tmp_path / "here")
    known = read_manifest(Path("../set/manifest.csv"))
    assert {path: facts.fold for path, facts in known.items()} == {
        tmp_path.resolve() / "set" / "1.png": "1",
        tmp_path.resolve() / "other" / "2.png": "2",
        tmp_path.resolve() / "3.png": "3",
    }


def test_a_manifest_from_windows_finds_the_same_images(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(b"\xef\xbb\xbffile,patient\r\nTesting\\glioma\\1.jpg,4\r\n")
    (place,) = read_manifest(path)
    assert place == (tmp_path / "Testing" / "glioma" / "1.jpg").resolve()


def test_a_backslash_that_is_part_of_a_name_stays(tmp_path: Path) -> None:
    (tmp_path / "a\\b.png").touch()
    assert list(read_manifest(manifest(tmp_path, "file,patient", "a\\b.png,4"))) == [
        tmp_path.resolve() / "a\\b.png"
    ]


@pytest.mark.parametrize("unknown", ["", "0", " ", " 0 "])
def test_an_empty_or_zero_patient_or_fold_is_unknown(tmp_path: Path, unknown: str) -> None:
    path = manifest(tmp_path, "file,patient,fold", f"1.png,{unknown},{unknown}")
    assert list(read_manifest(path).values()) == [Known()]


def test_a_twin_group_may_be_called_zero(tmp_path: Path) -> None:
    path = manifest(tmp_path, "file,near_dup_group", "1.png,0", "2.png,")
    assert [facts.twins for facts in read_manifest(path).values()] == ["0", ""]


def test_a_patient_is_named_after_its_column(tmp_path: Path) -> None:
    path = manifest(tmp_path, "file,slice_run,patient_fold", "1.png,12,3")
    assert list(read_manifest(path).values()) == [Known(patient="slice_run-12", fold="3")]


def test_the_best_of_several_columns_counts(tmp_path: Path) -> None:
    path = manifest(tmp_path, "slice_run,path,patient,file,split,orig_split", "1,b,2,a,test,train")
    assert read_manifest(path) == {
        (tmp_path / "a").resolve(): Known(patient="patient-2", official="train")
    }


@pytest.mark.parametrize("name", ["Patient_ID", "PATIENT ID", "patientId", "Patient-Id"])
def test_a_patient_column_is_known_however_it_is_spelt(tmp_path: Path, name: str) -> None:
    path = manifest(tmp_path, f"File,{name},fold", "1.png,9,1")
    assert list(read_manifest(path).values()) == [Known(patient=f"{name}-9", fold="1")]


@pytest.mark.parametrize("name", COLUMN_NAMES["file"])
def test_the_column_of_files_has_several_names(tmp_path: Path, name: str) -> None:
    path = manifest(tmp_path, f"{name},fold", '"a, ""b""\n.png",1')
    assert list(read_manifest(path)) == [(tmp_path / 'a, "b"\n.png').resolve()]


def test_a_short_line_says_nothing_where_it_ends(tmp_path: Path) -> None:
    path = manifest(tmp_path, "file,patient,fold", "1.png,3")
    assert list(read_manifest(path).values()) == [Known(patient="patient-3")]


def test_lines_without_a_file_are_left_out(tmp_path: Path) -> None:
    path = manifest(tmp_path, "patient,file", "3", "4,a.png", ",", "5, ", "")
    assert read_manifest(path) == {(tmp_path / "a.png").resolve(): Known(patient="patient-4")}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["name,patient", "1.png,2"], ": has no file column; expected one of file, path, filename"),
        (["file;patient", "1.png;2"], ": has no file column"),
        ([], ": has no file column"),
        (["file,comment", "1.png,x"], ": knows nothing to join; expected columns file, patient"),
        (["file,patient", f"{'a' * 200_000},2"], ": cannot be read as a manifest"),
        (["file,patient", "a\0.png,2"], ": cannot be read as a manifest"),
    ],
)
def test_a_manifest_that_cannot_be_joined_says_why(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    path = manifest(tmp_path, *lines)
    with pytest.raises(IndexFileError, match=rf"\A{path}{message}[^\n]*\Z"):
        read_manifest(path)


def test_a_missing_manifest_a_folder_and_another_encoding_are_named(tmp_path: Path) -> None:
    with pytest.raises(IndexFileError, match=r"none\.csv: no such file; expected a manifest"):
        read_manifest(tmp_path / "none.csv")
    with pytest.raises(IndexFileError, match="cannot be read as a manifest"):
        read_manifest(tmp_path)
    path = manifest(tmp_path, "file,patient", "é.png,2", encoding="latin-1")
    with pytest.raises(IndexFileError, match="cannot be read as a manifest"):
        read_manifest(path)
