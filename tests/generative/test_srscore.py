"""Scoring: the field's protocol, and what is left out of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.core.errors import UserError
from brainlens.data.index import write_index
from brainlens.data.indexing import index_folders
from brainlens.generative.generators import interpolation
from brainlens.generative.srscore import made_small, restored, score_folder, score_table

BICUBIC, NEAREST = interpolation("bicubic", 4), interpolation("nearest", 4)


def draw(path: Path, side: int = 70, level: int = 100) -> Path:
    y, x = np.mgrid[:side, : side + 3]
    waves = 120 + level * np.sin(x / 6) * np.cos(y / 5)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(waves.astype(np.uint8)).save(path)
    return path


def test_small_pictures_are_rounded_to_8_bits_and_keep_their_rank() -> None:
    original = np.random.default_rng(0).integers(0, 256, (64, 72), dtype=np.uint8)
    for shrink in ("bicubic", "kspace"):
        small = made_small(original, 4, shrink)
        assert (small.shape, small.dtype) == ((16, 18), np.uint8)
        colour = made_small(np.repeat(original[..., None], 3, 2), 4, shrink)
        np.testing.assert_array_equal(colour[..., 1], small)
        assert restored(colour, NEAREST).shape == (64, 72, 3)


def test_a_constant_picture_scores_100_db_and_not_infinity(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", level=0)
    result = score_folder(tmp_path, [NEAREST], lpips=False)
    assert result["mean"]["nearest"]["psnr_y"] == 100
    assert result["mean"]["nearest"]["ssim_y"] == pytest.approx(1)


def test_methods_are_ranked_and_means_are_of_the_rows(tmp_path: Path) -> None:
    for name in ("a", "b"):
        draw(tmp_path / f"{name}.png", 70 if name == "a" else 90)
    result = score_folder(tmp_path, [NEAREST, BICUBIC], lpips=False)
    own = [row["psnr_y"] for row in result["rows"] if row["method"] == "bicubic"]
    assert result["mean"]["bicubic"]["psnr_y"] == pytest.approx(np.mean(own), abs=1e-4)
    assert result["mean"]["bicubic"]["psnr_y"] > result["mean"]["nearest"]["psnr_y"]
    assert f"{np.mean(own):.2f}" in score_table(result)


def test_what_cannot_be_scored_is_skipped_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(tmp_path / "a.png")
    draw(tmp_path / "small.png", 20)
    Image.fromarray(np.zeros((80, 80), np.uint16)).save(tmp_path / "deep.png")
    result = score_folder(tmp_path, [NEAREST], lpips=False)
    assert (result["images"], result["skipped"]) == (1, 2)
    assert "small.png" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no image"):
        score_folder(tmp_path / "empty", [NEAREST], lpips=False)


def test_an_index_is_scored_on_its_test_rows(tmp_path: Path) -> None:
    for label in ("x", "y"):
        for i in range(2):
            draw(tmp_path / "scans" / label / f"{label}{i}.png", 70 + 4 * i)
    found = index_folders([tmp_path / "scans"], label_map={})
    rows = [dataclasses.replace(row, split="test" if "x0" in row.path else "train")
            for row in found.rows]  # fmt: skip
    index = write_index(rows, Path("/"), tmp_path / "index.csv")
    result = score_folder(index, [NEAREST], lpips=False)
    assert [row["image"] for row in result["rows"]] == ["x0.png"]
