"""A hash manifest finds an image without having it, and tells nothing else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.core.errors import IndexFileError
from brainlens.data.audit import audit_index
from brainlens.data.audit_file import audit_file
from brainlens.data.hashes import anonymous, load_hashes
from brainlens.data.index import Index, Row, read_index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.sample import copy_to


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's index, its audit, and its hash manifest `set.npz`."""
    folder = tmp_path_factory.mktemp("hashes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAINLENS_CACHE", str(folder / "cache"))
        copy_to(folder / "scans")
        found = index_folders([folder / "scans"], label_map={})
        rows = [dataclasses.replace(row, patient=f"Doe {i}") for i, row in enumerate(found.rows)]
        write_index(rows, Path("/"), folder / "index.csv")
        audit_file(folder / "index.csv", folder / "audit", manifest=folder / "set.npz")
    return folder


@pytest.fixture(autouse=True)
def _cached(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINLENS_CACHE", str(places / "cache"))


def test_a_manifest_holds_the_index_s_digests_labels_and_groups_and_no_more(places: Path) -> None:
    index, manifest = read_index(places / "audit" / "index.csv"), load_hashes(places / "set.npz")
    for ours, theirs in zip(index.rows, manifest.rows, strict=True):
        assert (ours.pixel_digest, ours.label) == (theirs.pixel_digest, theirs.label)
        assert ours.group == theirs.group
        assert (theirs.digest, theirs.patient, theirs.width) == ("", "", 0)
    assert manifest.index.digest() == index.digest()
    assert manifest.descriptors.compact
    assert len(manifest.pixels) == len({row.pixel_digest for row in index.rows})


def test_neither_names_nor_patients_nor_pictures_are_in_the_file(places: Path) -> None:
    with np.load(places / "set.npz", allow_pickle=False) as held:
        text = b"".join(held[name].tobytes() for name in held.files)
        table = json.loads(held["table"].tobytes())
        pictures = held["digests"].shape[0]
        of_one = sum(held[name][0].nbytes for name in ("codes", "windows", "marks"))
    assert of_one == 186
    assert len(text) < pictures * (186 + 32) + 120 * len(table["picture"])
    assert b"Doe" not in text
    assert b"scans" not in text
    assert table["path"][:2] == ["image 1", "image 2"]


def test_a_group_named_by_somebody_else_is_hashed() -> None:
    row = Row("a.png", "none", "", "ab" * 32, 1, 1, "L", "Jane Doe", flags="tiny=3;second-label=x")
    (bare,) = anonymous([row])
    assert (bare.path, bare.flags) == ("image 1", "second-label=x")
    assert bare.group.startswith("g-")
    assert "Doe" not in bare.group
    assert anonymous([row]) == [bare]


def test_against_a_manifest_copies_and_twins_are_found_as_against_the_index(
    places: Path, tmp_path: Path
) -> None:
    manifest = load_hashes(places / "set.npz")
    index = read_index(places / "audit" / "index.csv")
    same = [row for row in index.rows if row.label == "glioma"][:3]
    (tmp_path / "none").mkdir()
    for i, row in enumerate(same):
        with Image.open(index.file(row)) as image:
            turned = image.transpose(Image.Transpose.ROTATE_90)
            turned.resize((300, 300)).save(tmp_path / "none" / f"{i}.png")
            if i == 0:
                image.save(tmp_path / "none" / "copy.png")
    found = index_folders([tmp_path], label_map={})
    against = audit_index(Index(found.rows, Path("/")), against=manifest).against
    assert against is not None
    kinds = {Path(leak.path).name: leak.kind for leak in against.leaks}
    assert kinds["copy.png"] == "copy"
    assert [kinds[f"{i}.png"] for i in range(3)] == ["twin"] * 3
    assert {conflict.labels for conflict in against.conflicts} == {("none", "glioma")}


def test_a_set_is_wholly_in_its_own_manifest(places: Path, tmp_path: Path) -> None:
    found = audit_file(places / "index.csv", tmp_path / "again", against=places / "set.npz")
    compared = found["comparison"]["classes"]
    assert all(own["copy"] == own["images"] for own in compared.values())
    held = found["certificate"]["indices"]
    assert held["against"]["digest"] == read_index(places / "audit" / "index.csv").digest()


def test_a_file_that_is_no_hash_manifest_is_refused(places: Path, tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    with pytest.raises(IndexFileError, match="no such file"):
        load_hashes(path)
    path.write_bytes(b"not an archive")
    with pytest.raises(IndexFileError, match="no hash manifest of brainlens"):
        load_hashes(path)
    np.savez(path, digests=np.zeros((2, 32), np.uint8))
    with pytest.raises(IndexFileError, match="--export-manifest"):
        load_hashes(path)
    whole = (places / "set.npz").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(IndexFileError, match="no hash manifest of brainlens"):
        load_hashes(path)


def test_a_manifest_of_another_format_says_so(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brainlens.data.hashes.FORMAT", 99)
    with pytest.raises(IndexFileError, match="Export it again"):
        load_hashes(places / "set.npz")


@pytest.mark.parametrize("wrong", ["codes", "marks", "table"])
def test_arrays_that_do_not_fit_together_are_refused(
    places: Path, tmp_path: Path, wrong: str
) -> None:
    with np.load(places / "set.npz", allow_pickle=False) as held:
        arrays = dict(held)
    arrays[wrong] = arrays[wrong][:-1]
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(IndexFileError, match="no hash manifest of brainlens"):
        load_hashes(tmp_path / "set.npz")
