"""A small index of drawn heads with a split, and generators planted into it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brainlens.core.seeding import generator
from brainlens.data.index import read_index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.synthetic import synthetic_row

Array = np.ndarray[Any, Any]
SIDE = 48


def head(*key: int | str) -> Array:
    """A head of its own: an ellipse with six blobs in it."""
    draw = generator("head", *key)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    picture = np.zeros((SIDE, SIDE))
    wide, high = draw.uniform(0.3, 0.45, 2)
    inside = (x / wide) ** 2 + (y / high) ** 2 < 1
    picture[inside] = 90
    for _ in range(6):
        left, top = draw.uniform(-0.3, 0.3, 2)
        size = draw.uniform(0.04, 0.12)
        blob = np.exp(-((x - left) ** 2 + (y - top) ** 2) / (2 * size**2))
        picture += draw.uniform(-80, 120) * blob * inside
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded pictures and features go to a folder of the test's own."""
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of "none" 60 heads train and 30 test; of "glioma" 20 of each."""
    folder = tmp_path_factory.mktemp("scans")
    for label, count in (("glioma", 60), ("none", 100)):
        (folder / label).mkdir()
        for i in range(count):
            grey = head(label, i)
            if label == "glioma":
                grey[20:28, 20:28] = 255
            Image.fromarray(grey).save(folder / label / f"{i:03d}.png")
    rows = []
    for row in index_folders([folder], label_map={}).rows:
        number, many = int(Path(row.path).stem), 30 if row.label == "glioma" else 60
        side = "train" if number < many else "val" if number < many + 10 else "test"
        rows.append(dataclasses.replace(row, split=side))
    return write_index(rows, Path("/"), folder / "index.csv")


@pytest.fixture
def planted(index: Path, tmp_path: Path) -> Callable[[list[Array]], Path]:
    """A folder as `synth sample` leaves it, of given pictures of "none"."""

    def write(pictures: list[Array]) -> Path:
        (tmp_path / "made" / "none").mkdir(parents=True)
        rows, source = [], read_index(index).digest()
        for seed, grey in enumerate(pictures):
            path = f"none/seed-{seed:06d}.png"
            Image.fromarray(grey).save(tmp_path / "made" / path)
            data = (tmp_path / "made" / path).read_bytes()
            row = synthetic_row(
                path, data, grey, label="none", origin="planted", seed=seed, source=source,
                generator="0" * 64,
            )  # fmt: skip
            rows.append(row)
        write_index(rows, tmp_path / "made", tmp_path / "made" / "index.csv")
        return tmp_path / "made"

    return write
