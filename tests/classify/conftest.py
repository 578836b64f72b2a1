"""A tiny real problem: pictures that a small network can tell apart in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.classify.config import TrainConfig
from brainlens.data.index import write_index
from brainlens.data.indexing import index_folders
from brainlens.data.split import split_rows, write_record

TINY = TrainConfig(
    backbone="cnn_c", size=32, hidden=(8,), epochs=3, batch_size=8, tune="all", dropout=0.2,
    augment="light", learning_rate=0.003, schedule="plateau", plateau_patience=0, device="cpu",
)  # fmt: skip


def draw(folder: Path, images: int = 24, seed: int = 0) -> Path:
    """Class folders of pictures with a large bright square (glioma) or a small one (none)."""
    generator = np.random.default_rng(seed)
    for label, half in (("glioma", 6), ("none", 2)):
        (folder / label).mkdir(parents=True)
        for i in range(images):
            picture = generator.integers(0, 60, (32, 32))
            row, column = generator.integers(8, 24, 2)
            picture[row - half : row + half, column - half : column + half] += 150
            Image.fromarray(picture.astype(np.uint8)).save(folder / label / f"{i}.png")
    return folder


def split_index(folder: Path, images: Path, *, label_map: dict[str, str] | None = None) -> Path:
    """Index and split a folder of pictures; answers where the index lies."""
    found = index_folders([images], label_map=label_map or {})
    rows, record = split_rows(found.rows, protocol="grouped", test=0.25, val=0.25)
    path = folder / "index.csv"
    write_index(rows, Path("/"), path)
    write_record(record, path)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded pictures go to a folder of the test's own."""
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def tiny_index(tmp_path: Path) -> Path:
    """An index of 48 pictures in two classes, split."""
    return split_index(tmp_path, draw(tmp_path / "pictures"))
