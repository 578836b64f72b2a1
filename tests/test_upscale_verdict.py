"""The question of enlarging and the classifier: who is asked, and how the answers are counted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks.upscale_verdict import AS_IS, SCAN, SHARP, fidelity, judged, sample, unseen, ways
from brainlens.core.errors import UserError
from brainlens.data.index import Row, read_index, write_index
from brainlens.generative.generators import interpolation


def row(name: str, label: str, group: str, split: str = "test") -> Row:
    return Row(f"{name}.png", label, f"d-{name}", f"p-{name}", 8, 8, "L", group, split=split)


def test_accuracy_and_its_paired_difference_by_hand() -> None:
    right = {AS_IS: np.array([0.0, 1, 1]), "other": np.array([1.0, 1, 0])}
    found = judged(right, ["a", "a", "b"], seed=0)
    other = found["other"]
    assert other["value"] == pytest.approx(200 / 3)
    assert (other["gained"], other["lost"]) == (1, 1)
    # Two groups: drawn twice the first (accuracy 1, +1/2), both (2/3, 0), twice the second (0, -1).
    assert (other["low"], other["high"]) == (0, 100)
    assert other["change"] == {"value": 0, "low": -100, "high": 50}
    assert "change" not in found[AS_IS]


def test_every_class_has_as_many_and_no_group_more_than_twelve() -> None:
    rows = [row(f"x{i}", "x", "one" if i < 30 else f"g{i}") for i in range(60)]
    rows += [row(f"y{i}", "y", f"h{i}") for i in range(25)]
    chosen = sample(rows, ("x", "y"), 40, seed=0)
    assert (
        [one.label for one in chosen].count("x") == [one.label for one in chosen].count("y") == 20
    )
    assert sum(one.group == "one" for one in chosen) <= 12
    few = sample(rows, ("x", "y"), 20, seed=0)
    assert {one.path for one in few} < {one.path for one in chosen}


def test_a_group_that_a_run_has_seen_is_not_asked(tmp_path: Path) -> None:
    rows = [row("a", "x", "g1"), row("b", "x", "g2"), row("c", "x", "g2")]
    index = read_index(write_index(rows, tmp_path, tmp_path / "index.csv"))
    run = tmp_path / "run"
    run.mkdir()
    known = dataclasses.replace(rows[2], group="named otherwise", split="val")
    write_index([known], tmp_path, run / "index.csv")
    assert [one.path for one in unseen(index, [run])] == ["a.png"]
    write_index([dataclasses.replace(one, split="train") for one in rows], tmp_path,
                run / "index.csv")  # fmt: skip
    with pytest.raises(UserError, match="trained on"):
        unseen(index, [run])


def test_a_scan_is_shown_sharp_coarse_and_enlarged_and_kept(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (300, 448), dtype=np.uint8)
    calls = []
    nearest = interpolation("nearest", 4)

    def counted(part: np.ndarray) -> np.ndarray:
        calls.append(part.shape)
        return nearest.enlarge(part)

    generator = dataclasses.replace(nearest, enlarge=counted)
    shown = [ways(grey, {"nearest": generator}, tmp_path) for _ in range(2)]
    sizes = {name: picture.shape for name, picture in shown[0].items()}
    assert sizes == {SCAN: (300, 448), SHARP: (152, 224), AS_IS: (38, 56), "nearest": (152, 224)}
    np.testing.assert_array_equal(shown[0]["nearest"], shown[0][AS_IS].repeat(4, 0).repeat(4, 1))
    assert all(np.array_equal(shown[0][name], shown[1][name]) for name in sizes)
    assert len(calls) == 1
    near = fidelity(shown)["nearest"]
    error = (shown[0]["nearest"].astype(float) - shown[0][SHARP])[4:-4, 4:-4]
    assert near["psnr_y"] == pytest.approx(10 * np.log10(255**2 / np.mean(error**2)))
