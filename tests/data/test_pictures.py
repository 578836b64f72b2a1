"""Every image is decoded once; what is kept is whole, and is what the index speaks of."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.core.errors import ImageError, IndexFileError, OutputError
from brainlens.data.index import Index
from brainlens.data.indexing import index_folders
from brainlens.data.pictures import cache_path, pictures
from brainlens.data.preprocess import Preprocessing

SMALL = Preprocessing(16)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures are kept in a folder of the test's own."""
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pictures"


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Six pictures of noise in two classes, each of its own size."""
    noise = np.random.default_rng(0)
    for i in range(6):
        path = tmp_path / "scans" / ("glioma", "none")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (20 + i, 30), np.uint8)).save(path)
    return Index(index_folders([tmp_path / "scans"], label_map={}).rows, Path("/"))


def by_hand(index: Index, size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The pictures as Pillow alone gives them."""
    return np.stack(
        [
            np.asarray(Image.open(row.path).resize((size, size), Image.Resampling.BILINEAR))
            for row in index.rows
        ]
    )


def kept(cache: Path) -> list[str]:
    """What lies in the cache, hidden files too."""
    return sorted(os.listdir(cache)) if cache.exists() else []


def test_the_pictures_come_in_the_order_of_the_rows(index: Index) -> None:
    got = pictures(index, index.rows, SMALL)
    assert (got.shape, got.dtype) == ((6, 16, 16), np.uint8)
    assert np.array_equal(got, by_hand(index, 16))
    backwards = pictures(index, index.rows[::-1], SMALL)
    assert np.array_equal(backwards, by_hand(index, 16)[::-1])


def test_an_image_is_read_once(index: Index, cache: Path) -> None:
    first = np.array(pictures(index, index.rows, SMALL))
    for row in index.rows:
        index.file(row).unlink()
    assert np.array_equal(pictures(index, index.rows, SMALL), first)
    assert len(kept(cache)) == 1


def test_what_is_kept_is_shared_and_cannot_be_changed(index: Index) -> None:
    got = pictures(index, index.rows, SMALL)
    assert isinstance(got, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        got[0] = 0


@pytest.mark.parametrize(
    "other", [Preprocessing(17), Preprocessing(16, "pad"), Preprocessing(16, crop=True)]
)
def test_another_preprocessing_makes_another_file(
    index: Index, cache: Path, other: Preprocessing
) -> None:
    pictures(index, index.rows, SMALL)
    pictures(index, index.rows, other)
    assert len(kept(cache)) == 2


def test_the_normalisation_is_no_part_of_the_file(index: Index) -> None:
    other = replace(SMALL, mean=(0.5,), std=(0.5,))
    assert cache_path(index.rows, other) == cache_path(index.rows, SMALL)


def test_other_rows_or_another_order_make_another_file(index: Index) -> None:
    rows = index.rows
    choices = [rows, rows[::-1], rows[:5], (*rows, rows[0])]
    assert len({cache_path(choice, SMALL) for choice in choices}) == len(choices)


def test_labels_and_splits_do_not_decode_anew(index: Index) -> None:
    others = [replace(row, label="x", split="train", path="elsewhere") for row in index.rows]
    assert cache_path(others, SMALL) == cache_path(index.rows, SMALL)


def test_an_image_that_moved_is_named(index: Index, cache: Path) -> None:
    lost = index.file(index.rows[3])
    lost.rename(lost.with_suffix(".moved"))
    with pytest.raises(IndexFileError, match=f"^{lost}: no such file, though the index lists it"):
        pictures(index, index.rows, SMALL)
    assert kept(cache) == []


def test_an_image_that_changed_is_not_taken_for_the_one_that_was_indexed(
    index: Index, cache: Path
) -> None:
    changed = index.file(index.rows[2])
    Image.new("L", (20, 20), 99).save(changed)
    with pytest.raises(IndexFileError, match=f"^{changed}: is not the image that was indexed"):
        pictures(index, index.rows, SMALL)
    assert kept(cache) == []


def test_an_image_that_broke_is_named(index: Index, cache: Path) -> None:
    broken = index.rows[1]
    data = b"\x89PNG\r\n\x1a\n broken"
    index.file(broken).write_bytes(data)
    rows = [replace(broken, digest=hashlib.sha256(data).hexdigest())]
    with pytest.raises(ImageError, match=f"^{index.file(broken)}: got "):
        pictures(index, rows, SMALL)
    assert kept(cache) == []


def test_decoding_that_is_interrupted_leaves_no_file(
    index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = []

    def interrupted(self: Preprocessing, grey: object) -> object:
        turns.append(grey)
        if len(turns) > 3:
            raise KeyboardInterrupt
        return np.zeros((16, 16), np.uint8)

    with monkeypatch.context() as patch:
        patch.setattr(Preprocessing, "picture", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pictures(index, index.rows, SMALL)
    assert kept(cache) == []
    assert np.array_equal(pictures(index, index.rows, SMALL), by_hand(index, 16))


@pytest.mark.parametrize("damage", ["empty", "cut", "other", "shape"])
def test_a_damaged_file_is_decoded_anew(index: Index, damage: str) -> None:
    expected = np.array(pictures(index, index.rows, SMALL))
    path = cache_path(index.rows, SMALL)
    data = path.read_bytes()
    if damage == "shape":
        np.save(path, expected[:2])
    else:
        path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "other": b"text"}[damage])
    assert np.array_equal(pictures(index, index.rows, SMALL), expected)
    assert path.read_bytes() == data


def test_a_full_disk_is_one_line(index: Index, tmp_path: Path) -> None:
    disk = tmp_path / "cache"
    disk.mkdir(exist_ok=True)
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs"]
    try:
        done = subprocess.run(["mount", *options, str(disk)], capture_output=True)
    except OSError as error:
        pytest.skip(f"needs to mount a small disk: {error}")
    if done.returncode:
        pytest.skip(f"needs to mount a small disk: {done.stderr.decode().splitlines()[0]}")
    try:
        with pytest.raises(OutputError, match=r"\A[^\n]+: the disk is full\. Free [^\n]+\Z"):
            pictures(index, index.rows, Preprocessing(200))
        assert kept(disk / "pictures") == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_cache_that_cannot_be_written_says_how_to_move_it(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"cannot be written .+ Set BRAINLENS_CACHE"):
        pictures(index, index.rows, SMALL)
