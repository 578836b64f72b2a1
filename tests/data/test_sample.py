"""The embedded sample is what its manifest says, faults included, and copies without harm."""

import csv
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from brainlens.core.errors import OutputError
from brainlens.data.sample import SAMPLE_DIR, copy_to

with (SAMPLE_DIR / "manifest.csv").open(encoding="utf-8", newline="") as stream:
    ROWS = list(csv.DictReader(stream))
PLANTED = [row for row in ROWS if row["note"]]
COPIES = [row for row in PLANTED if "exact copy" in row["note"]]
TWINS = [row for row in PLANTED if "twin of" in row["note"]]


def test_the_manifest_lists_every_picture_once() -> None:
    pictures = {path.relative_to(SAMPLE_DIR).as_posix() for path in SAMPLE_DIR.rglob("*.jpg")}
    listed = [row["file"] for row in ROWS]
    assert set(listed) == pictures
    assert len(listed) == len(pictures)
    assert all(row["file"].split("/")[0] == row["label"] for row in ROWS)


def test_four_classes_of_about_sixty_slices() -> None:
    counts = Counter(row["label"] for row in ROWS)
    assert set(counts) == {"glioma", "meningioma", "pituitary", "none"}
    assert all(60 <= count <= 63 for count in counts.values())


def test_the_sample_stays_under_three_megabytes() -> None:
    assert sum(path.stat().st_size for path in SAMPLE_DIR.rglob("*") if path.is_file()) < 3e6


def test_every_patient_has_one_label_and_three_slices() -> None:
    slices: defaultdict[str, list[str]] = defaultdict(list)
    for row in ROWS:
        if row["patient"]:
            slices[row["patient"]].append(row["label"])
    assert len(slices) == 80
    assert all(len(set(labels)) == 1 and len(labels) == 3 for labels in slices.values())


def test_every_class_shows_all_three_planes() -> None:
    shown = Counter((row["label"], row["plane"]) for row in ROWS if row["patient"])
    assert len(shown) == 12
    assert min(shown.values()) >= 15


def test_pictures_are_small_and_grey() -> None:
    for row in ROWS:
        with Image.open(SAMPLE_DIR / row["file"]) as image:
            assert image.mode == "L"
            assert all(100 <= side <= 180 for side in image.size), row["file"]


def test_planted_files_have_no_patient_and_one_original() -> None:
    assert len(TWINS) == 8
    assert len(COPIES) == 2
    for row in PLANTED:
        original = _original(row)
        assert row["patient"] == ""
        assert original["patient"]
        assert original["file"] in row["note"]


def test_planted_copies_are_byte_equal_and_nothing_else_is() -> None:
    for row in COPIES:
        assert _bytes(row) == _bytes(_original(row))
    assert len({_bytes(row) for row in ROWS}) == len(ROWS) - len(COPIES)


def test_planted_twins_look_like_their_original() -> None:
    for row in TWINS:
        assert _likeness(_small(row), _small(_original(row))) >= 0.97, row["note"]


def test_no_two_other_slices_look_like_twins() -> None:
    small = [_small(row) for row in ROWS]
    flat = np.stack([_unit(image) for image in small])
    turned = [np.stack([_unit(_turn(image, k)) for image in small]) for k in range(8)]
    likeness = np.max([flat @ other.T for other in turned], axis=0)
    groups = np.array([row["near_dup_group"] or row["file"] for row in ROWS])
    assert likeness[groups[:, None] != groups[None, :]].max() < 0.97


def test_exactly_one_label_conflict_is_planted() -> None:
    conflicts = [row for row in PLANTED if row["label"] != _original(row)["label"]]
    assert [(row["label"], _original(row)["label"]) for row in conflicts] == [
        ("pituitary", "meningioma")
    ]


def test_the_pictures_say_that_they_are_synthetic_and_whose_the_template_is(tmp_path: Path) -> None:
    copy = copy_to(tmp_path / "sample")
    assert "SYNTHETIC" in (copy / "README.md").read_text(encoding="utf-8")
    licence = (copy / "LICENSE-MNI152.txt").read_text(encoding="utf-8")
    assert "McConnell Brain Imaging Centre" in licence


def test_copying_twice_is_harmless(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "sample"
    assert copy_to(folder) == folder
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert copy_to(folder) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert len(list(folder.rglob("*.jpg"))) == len(ROWS)
    assert not list(folder.rglob("*.py"))
    assert [path.name for path in folder.parent.iterdir()] == ["sample"]


def test_copying_fills_an_empty_folder(tmp_path: Path) -> None:
    assert (copy_to(tmp_path) / "manifest.csv").is_file()


def test_copying_never_replaces_what_somebody_else_put_there(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="already holds files other than the sample"):
        copy_to(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_a_file_is_no_place_for_the_sample(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="is a file; expected a new folder"):
        copy_to(tmp_path / "taken")


def _bytes(row: dict[str, str]) -> bytes:
    return (SAMPLE_DIR / row["file"]).read_bytes()


def _original(planted: dict[str, str]) -> dict[str, str]:
    group = [row for row in ROWS if row["near_dup_group"] == planted["near_dup_group"]]
    (original,) = (row for row in group if not row["note"])
    return original


def _small(row: dict[str, str]) -> NDArray[np.float64]:
    with Image.open(SAMPLE_DIR / row["file"]) as image:
        return np.asarray(image.resize((64, 64), Image.Resampling.BOX), dtype=np.float64)


def _turn(image: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """The k-th of the 8 flips and rotations."""
    return np.rot90(image if k < 4 else image[:, ::-1], k % 4)


def _unit(image: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = (image - image.mean()).ravel()
    return np.asarray(centred / np.linalg.norm(centred))


def _likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return max(float(_unit(one) @ _unit(_turn(other, k))) for k in range(8))
