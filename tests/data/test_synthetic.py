"""Synthetic rows join an index only where its generator learned from that very index."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.core.errors import IndexFileError
from brainlens.data.index import Row, read_index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.synthetic import note, synthetic_row, with_extra


@pytest.fixture
def index(tmp_path: Path) -> Path:
    for label in ("glioma", "none"):
        for i in range(3):
            (tmp_path / "real" / label).mkdir(parents=True, exist_ok=True)
            grey = np.random.default_rng([i, len(label)]).integers(0, 256, (9, 9), dtype=np.uint8)
            Image.fromarray(grey).save(tmp_path / "real" / label / f"{i}.png")
    found = index_folders([tmp_path / "real"], label_map={}).rows
    sides = ("train", "val", "test", "train", "val", "test")
    rows = [dataclasses.replace(row, split=side) for row, side in zip(found, sides, strict=True)]
    return write_index(rows, Path("/"), tmp_path / "index.csv")


@pytest.fixture
def made(index: Path) -> Row:
    grey = np.full((4, 4), 9, np.uint8)
    source = read_index(index).digest()
    return synthetic_row(
        "a.png", b"file", grey, label="none", origin="dcgan", source=source, seed=12,
        generator="ab" * 32,
    )  # fmt: skip


def extra(folder: Path, *rows: Row) -> Path:
    return write_index(rows, folder / "made", folder / "made" / "index.csv")


def test_rows_of_the_right_generator_train_beside_the_real_ones(
    index: Path, made: Row, tmp_path: Path
) -> None:
    joined = with_extra(read_index(index), index, extra(tmp_path, made))
    assert len(joined.rows) == 7
    last = joined.rows[-1]
    assert (last.path, last.split, last.origin) == ("made/a.png", "train", "dcgan")
    assert (note(last, "seed"), note(last, "generator"), note(last, "other")) == (
        "12", "ab" * 8, ""
    )  # fmt: skip
    assert last.pixel_digest != last.digest


WRONG: dict[str, tuple[Callable[[Row], Row], str]] = {
    "real": (lambda row: dataclasses.replace(row, origin="real"), "is real"),
    "no split": (lambda row: dataclasses.replace(row, split=""), "of no split"),
    "class": (lambda row: dataclasses.replace(row, label="cat"), "of class 'cat'"),
    "source": (lambda row: dataclasses.replace(row, flags="source=feed"), "learned from another"),
    "no source": (lambda row: dataclasses.replace(row, flags=""), "digest unknown"),
    "test": (lambda row: dataclasses.replace(row, split="test"), "may only train"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_rows_that_could_mislead_are_refused(
    kind: str, index: Path, made: Row, tmp_path: Path
) -> None:
    change, says = WRONG[kind]
    with pytest.raises(IndexFileError, match=says):
        with_extra(read_index(index), index, extra(tmp_path, change(made)))


def test_a_copy_of_a_test_picture_is_refused(index: Path, made: Row, tmp_path: Path) -> None:
    own = read_index(index)
    copied = dataclasses.replace(made, pixel_digest=own.of("test")[0].pixel_digest)
    with pytest.raises(IndexFileError, match="the very picture of a test image"):
        with_extra(own, index, extra(tmp_path, copied))


def test_an_index_that_changed_since_is_another_index(
    index: Path, made: Row, tmp_path: Path
) -> None:
    own = read_index(index)
    changed = write_index(own.rows[:-1], own.folder, tmp_path / "less.csv")
    with pytest.raises(IndexFileError, match="learned from another index"):
        with_extra(read_index(changed), changed, extra(tmp_path, made))
