"""Folders of scans become rows; what cannot be used is named, and nothing is lost in silence."""

from __future__ import annotations

import hashlib
import os
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brainlens.core.errors import ImageError, IndexFileError
from brainlens.data.index import Row, read_index, write_index
from brainlens.data.indexing import Indexed, index_folders
from brainlens.data.labels import NAMED_MAPS, parse_map


def draw(folder: Path, *names: str) -> Path:
    """Pictures of noise, another for each name; equal stems are equal pictures."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = int.from_bytes(path.stem.encode(), "big") % 2**32
        noise = np.random.default_rng(seed).integers(0, 256, (11, 13), np.uint8)
        Image.fromarray(noise).save(path)
    return folder


def found(*roots: Path, manifest: Path | None = None, **label_map: str) -> Indexed:
    return index_folders(roots, label_map=label_map, manifest=manifest)


def table(indexed: Indexed, *facts: str) -> dict[str, Any]:
    """A fact (or several, as a tuple) of every row by the name of its file."""
    return {Path(row.path).name: attrgetter(*facts)(row) for row in indexed.rows}


def joined(folder: Path, *lines: str) -> Path:
    path = folder / "manifest.csv"
    path.write_text("\n".join((*lines, "")), "utf-8")
    return path


def test_a_row_says_what_the_file_is(tmp_path: Path) -> None:
    path = draw(tmp_path, "glioma/a.png") / "glioma" / "a.png"
    pixels = np.asarray(Image.open(path))
    (row,) = found(tmp_path).rows
    assert row == Row(
        path=str(path.resolve()), label="glioma", width=13, height=11, mode="L",
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        pixel_digest=hashlib.sha256(b"(11, 13)" + pixels.tobytes()).hexdigest(),
        group=f"g-{row.pixel_digest[:16]}",
    )  # fmt: skip


def test_folders_of_any_depth_case_and_spelling_are_classes(tmp_path: Path) -> None:
    draw(
        tmp_path, "GLIOMA_TUMOR/a.png", "set 1/No/b.JPG", "Yes/scanner/2019/c.bmp", "Astro/d/e.png"
    )
    assert table(found(tmp_path), "label") == {
        "a.png": "glioma", "b.JPG": "none", "c.bmp": "tumour", "e.png": "Astro",
    }  # fmt: skip


def test_a_numbered_patient_folder_is_no_class(tmp_path: Path) -> None:
    draw(tmp_path, "glioma/No1/a.png", "glioma/no 2/b.png")
    assert set(table(found(tmp_path), "label").values()) == {"glioma"}


def test_the_official_split_is_kept_above_or_below_the_class(tmp_path: Path) -> None:
    draw(tmp_path, "Training/glioma/a.png", "TESTING/no/b.png", "yes/valid/c.png", "no/d.png")
    assert table(found(tmp_path), "label", "official", "split") == {
        "a.png": ("glioma", "train", ""), "b.png": ("none", "test", ""),
        "c.png": ("tumour", "val", ""), "d.png": ("none", "", ""),
    }  # fmt: skip


def test_a_folder_called_test_is_a_side_and_no_class(tmp_path: Path) -> None:
    draw(tmp_path, "Test/a.png", "glioma/b.png", "Test/none/c.png")
    indexed = found(tmp_path)
    assert table(indexed, "label", "official") == {
        "b.png": ("glioma", ""),
        "c.png": ("none", "test"),
    }
    assert indexed.unlabelled == (tmp_path / "Test" / "a.png",)


def test_several_roots_become_one_index_in_their_order(tmp_path: Path) -> None:
    draw(tmp_path, "two/no/b.png", "one/yes/a10.png", "one/yes/a9.png")
    indexed = found(tmp_path / "two", tmp_path / "one")
    assert list(table(indexed, "label").items()) == [
        ("b.png", "none"), ("a9.png", "tumour"), ("a10.png", "tumour"),
    ]  # fmt: skip


def test_roots_that_overlap_list_an_image_once(tmp_path: Path) -> None:
    draw(tmp_path, "set/Testing/no/a.png", "set/Testing/yes/b.png")
    (tmp_path / "link").symlink_to(tmp_path / "set")
    for roots in (("set/Testing", "set"), ("set", "set/Testing"), ("set", "link"), ("set", "set")):
        indexed = found(*(tmp_path / root for root in roots))
        assert sorted(table(indexed, "official").items()) == [("a.png", "test"), ("b.png", "test")]
        assert len(indexed.rows) == 2
        read_index(write_index(indexed.rows, Path("/"), tmp_path / "index.csv"))


def test_an_image_given_as_two_classes_is_refused(tmp_path: Path) -> None:
    draw(tmp_path, "set/site/a.png", "set/site/astro/b.png")
    with pytest.raises(IndexFileError, match=r"b\.png: is given twice, as site and as astro"):
        found(tmp_path / "set", tmp_path / "set" / "site")


def test_linked_folders_and_files_are_read_where_they_are(tmp_path: Path) -> None:
    draw(tmp_path, "far/cases/a.png", "set/none/b.png")
    (tmp_path / "set" / "glioma").symlink_to(tmp_path / "far" / "cases")
    (tmp_path / "set" / "none" / "c.png").symlink_to("b.png")  # as data stores do
    indexed = found(tmp_path / "set")
    assert table(indexed, "label") == {"a.png": "glioma", "b.png": "none", "c.png": "none"}
    groups = table(indexed, "group")
    assert groups["b.png"] == groups["c.png"] != groups["a.png"]
    index = read_index(write_index(indexed.rows, Path("/"), tmp_path / "out" / "index.csv"))
    assert all(index.file(row).is_file() for row in index.rows)


def test_a_second_name_of_a_class_folder_is_not_an_empty_class(tmp_path: Path) -> None:
    draw(tmp_path, "glioma/a.png", "none/b.png")
    (tmp_path / "glioma_tumor").symlink_to("glioma")
    assert len(found(tmp_path).rows) == 2


@pytest.mark.parametrize(
    ("label_map", "labels", "left_out"),
    [
        ("types", ["glioma", "none"], {"yes": 1}),
        ("binary", ["tumour", "none", "tumour"], {}),
        ("yes=glioma,none=", ["glioma", "glioma"], {"no": 1}),
        ("no=healthy", ["glioma", "healthy", "tumour"], {}),
        ("map.toml", ["glioma", "none"], {"yes": 1}),
    ],
)
def test_a_map_renames_classes_or_leaves_them_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label_map: str, labels: list[str],
    left_out: dict[str, int],
) -> None:  # fmt: skip
    draw(tmp_path / "set", "glioma_tumor/a.png", "no/b.png", "yes/c.png")
    monkeypatch.chdir(tmp_path)
    Path("map.toml").write_text('tumour = ""')
    indexed = index_folders([Path("set")], label_map=parse_map(label_map))
    assert [row.label for row in indexed.rows] == labels
    assert indexed.left_out == left_out


def test_a_map_that_leaves_everything_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexFileError, match=r"leaves out every class \(no, yes\)"):
        found(draw(tmp_path, "yes/a.png", "no/b.png"), tumour="", none="")


def test_copies_of_bytes_or_of_pixels_are_one_group(tmp_path: Path) -> None:
    draw(tmp_path, "yes/a.png", "no/a.bmp", "yes/b.png", "no/c.png")
    (tmp_path / "no" / "copy.png").write_bytes((tmp_path / "yes" / "b.png").read_bytes())
    indexed = found(tmp_path)
    groups = table(indexed, "group")
    assert groups["a.png"] == groups["a.bmp"]
    assert groups["b.png"] == groups["copy.png"]
    assert len(set(groups.values())) == 3
    digests = table(indexed, "digest")
    assert digests["a.png"] != digests["a.bmp"]


def test_a_manifest_tells_patients_folds_twins_and_sides(tmp_path: Path) -> None:
    draw(tmp_path, *(f"glioma/{name}.png" for name in "abcdefg"))
    path = joined(
        tmp_path, "file,patient,fold,twin_group,orig_split",
        "glioma/a.png,7,1,,testing", "glioma/b.png,7,1,x,", "glioma/c.png,,,x,training",
        "glioma/d.png,0,0,,", "glioma/e.png,0,0,,", "glioma/gone.png,7,1,x,",
    )  # fmt: skip
    indexed = found(tmp_path, manifest=path)
    assert table(indexed, "patient", "fold", "official") == {
        "a.png": ("patient-7", "1", "test"), "b.png": ("patient-7", "1", ""),
        "c.png": ("", "", "train"),
        **dict.fromkeys(("d.png", "e.png", "f.png", "g.png"), ("", "", "")),
    }  # fmt: skip
    groups = table(indexed, "group")
    assert groups["a.png"] == groups["b.png"] == groups["c.png"]
    assert len(set(groups.values())) == 5  # 0 and no entry: unknown, not a patient in common


def test_the_side_of_the_folder_wins_over_the_manifest(tmp_path: Path) -> None:
    draw(tmp_path, "Training/glioma/a.png")
    path = joined(tmp_path, "file,split", "Training/glioma/a.png,test")
    assert table(found(tmp_path, manifest=path), "official") == {"a.png": "train"}


@pytest.mark.parametrize(
    ("folder", "second", "label_map", "flag"),
    [
        ("pituitary", "meningioma_tumor", {}, "second-label=meningioma"),
        ("pituitary", "pituitary_tumor", {}, ""),
        ("pituitary", "", {}, ""),
        ("yes", "glioma", {}, ""),  # a glioma is a tumour
        ("glioma", "yes", {}, ""),
        ("yes", "no", {}, "second-label=none"),
        ("glioma", "meningioma", NAMED_MAPS["binary"], ""),
        ("no", "meningioma", NAMED_MAPS["binary"], "second-label=meningioma"),
        ("glioma", "glioma", {"glioma": "low"}, ""),
    ],
)
def test_a_second_label_that_contradicts_is_flagged(
    tmp_path: Path, folder: str, second: str, label_map: dict[str, str], flag: str
) -> None:
    path = joined(tmp_path, "file,expert_label", f"{folder}/a.png,{second}")
    draw(tmp_path, f"{folder}/a.png")
    indexed = index_folders([tmp_path], label_map=label_map, manifest=path)
    assert table(indexed, "flags") == {"a.png": flag}


def test_a_manifest_of_other_images_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "set", "glioma/a.png", "none/b.png")
    path = joined(tmp_path, "file,patient", "glioma/a.png,1")
    with pytest.raises(IndexFileError, match="lists none of the 2 images"):
        found(tmp_path / "set", manifest=path)


def test_a_bad_file_is_named_and_left_out(tmp_path: Path) -> None:
    draw(tmp_path, "glioma/a.png", "none/b.png")
    (tmp_path / "none" / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    (tmp_path / "none" / "empty.png").touch()
    indexed = found(tmp_path)
    assert list(table(indexed, "label")) == ["a.png", "b.png"]
    assert [error.path.name for error in indexed.unreadable] == ["cut.jpg", "empty.png"]


def test_files_that_are_all_bad_are_an_error(tmp_path: Path) -> None:
    draw(tmp_path, "glioma/a.png")
    (tmp_path / "glioma" / "a.png").write_bytes(b"x")
    with pytest.raises(ImageError, match=r"^.+a\.png: got content of no known image format"):
        found(tmp_path)
    (tmp_path / "glioma" / "b.png").touch()
    with pytest.raises(
        IndexFileError, match=r"none of the 2 images can be read; the first: .+a\.png"
    ):
        found(tmp_path)


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"a\rb.png"])
def test_a_name_that_no_index_can_hold_is_named_and_left_out(tmp_path: Path, name: bytes) -> None:
    draw(tmp_path, "glioma/a.png", 'glioma/ü, "1"; 脑\n.png')
    odd = os.path.join(os.fsencode(tmp_path), b"glioma", name)
    try:
        os.link(tmp_path / "glioma" / "a.png", odd)
    except OSError as error:
        pytest.skip(f"needs a disk that takes any name: {error}")
    indexed = found(tmp_path)
    (unreadable,) = map(str, indexed.unreadable)
    assert unreadable.isprintable()
    assert "Rename it" in unreadable
    index = read_index(write_index(indexed.rows, Path("/"), tmp_path / "index.csv"))
    assert {index.file(row).name for row in index.rows} == {"a.png", 'ü, "1"; 脑\n.png'}


def test_hidden_files_are_not_there(tmp_path: Path) -> None:
    draw(tmp_path, "glioma/a.png", "glioma/.b.png", ".none/c.png", "__MACOSX/glioma/d.png")
    (tmp_path / "glioma" / "._a.png").write_bytes(b"AppleDouble")
    indexed = found(tmp_path)
    assert list(table(indexed, "label")) == ["a.png"]
    assert (indexed.unreadable, indexed.unlabelled) == ((), ())


def test_images_beside_the_class_folders_are_told(tmp_path: Path) -> None:
    indexed = found(draw(tmp_path, "a.png", "glioma/b.png"))
    assert list(table(indexed, "label")) == ["b.png"]
    assert indexed.unlabelled == (tmp_path / "a.png",)


def test_a_place_without_classes_says_what_is_expected(tmp_path: Path) -> None:
    draw(tmp_path, "flat/a.png", "flat/b.png", "sides/train/a.png", "hollow/glioma/a.png")
    (tmp_path / "hollow" / "none").mkdir()
    (tmp_path / "nothing").mkdir()
    (tmp_path / "text" / "glioma").mkdir(parents=True)
    (tmp_path / "text" / "glioma" / "a.txt").touch()
    for name, message in {
        "flat": "2 images but no class folders. Put the images",
        "sides": "1 images but no class folders",
        "hollow": "the class folder holds no image. Fill it, or remove it",
        "nothing": "holds no image (looked for JPEG, PNG",
        "text": "holds no image (looked for",
        "missing": "no such folder; expected a folder with one sub-folder a class",
        "flat/a.png": "is a file; expected a folder",
    }.items():
        with pytest.raises(IndexFileError) as caught:
            found(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert f": {message}" in str(caught.value)
        assert "\n" not in str(caught.value)
