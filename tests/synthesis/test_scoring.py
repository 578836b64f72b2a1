"""Scores: planted generators are found out, honest ones are not accused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brainlens.core.errors import IndexFileError, SplitError
from brainlens.core.images import read_grey
from brainlens.core.interpolation import shrink
from brainlens.data.index import read_index, write_index
from brainlens.generative.ganconfig import GanConfig
from brainlens.generative.synthtraining import train
from brainlens.report.page import write_report
from brainlens.report.synthesised import score_table
from brainlens.synthesis.scoring import halves, narrow, score
from tests.synthesis.conftest import head

Array = np.ndarray[Any, Any]
Plant = Callable[[list[Array]], Path]


def coarse(pictures: Array) -> Array:
    """Cheap features: 8 x 8 pixels."""
    return np.stack([shrink(picture, len(picture) // 8).ravel() / 64 for picture in pictures])


FEATURES = {"coarse": coarse}


def training(index: Path) -> list[Array]:
    own = read_index(index)
    return [read_grey(own.file(row)) for row in own.of("train") if row.label == "none"]


def noisy(pictures: list[Array], strength: float) -> list[Array]:
    draw = np.random.default_rng(0)
    return [np.clip(p + draw.normal(0, strength, p.shape), 0, 255).astype(np.uint8)
            for p in pictures]  # fmt: skip


def test_an_honest_generator_is_near_and_not_accused(
    index: Path, planted: Plant, tmp_path: Path
) -> None:
    made = planted([head("none", "new", i) for i in range(40)])
    document = score(made, index, tmp_path / "score", FEATURES)
    own = document["classes"]["none"]
    assert own["pictures"] == {"made": 40, "compared": 30, "train": 60, "held_out": 40}
    assert not own["copying"]["caught"]
    assert own["copying"]["nearer"]["low"] < 0.5 < own["copying"]["nearer"]["high"]
    assert not narrow(own["figures"]["coarse"])
    figures = own["figures"]["coarse"]
    assert figures["made"]["kid"]["value"] < 0.2 * figures["noise"]["kid"]["value"]
    assert "no sign of copying" in document["answer"]
    assert json.loads((tmp_path / "score" / "score.json").read_text())["kind"] == "synth-score"
    table = score_table(document)
    assert "coverage" in table
    page = write_report([tmp_path / "score"], tmp_path / "score.html").read_text()
    assert "no sign of copying" in page
    assert "data:image/png" in page


def test_a_copycat_is_caught(index: Path, planted: Plant, tmp_path: Path) -> None:
    copies = noisy(training(index)[:40], 4.0)
    mirrored = [np.ascontiguousarray(c[:, ::-1]) if i % 2 else c for i, c in enumerate(copies)]
    document = score(planted(mirrored), index, tmp_path / "score", FEATURES)
    found = document["classes"]["none"]["copying"]
    assert found["caught"]
    assert found["copies"] >= 36
    assert found["nearer"]["low"] > 0.9
    first = document["classes"]["none"]["closest"][0]
    assert Path(first["made"]).stem[-3:] == Path(first["train"]).stem
    assert "are copies of training pictures" in document["answer"]
    with Image.open(tmp_path / "score" / "closest-none.png") as sheet:
        assert sheet.size[0] == 6 * (2 * 96 + 8)
    page = write_report([tmp_path / "score"], tmp_path / "score.html").read_text()
    assert "do not share these pictures" in page


def test_rough_copies_are_caught_by_their_nearness(
    index: Path, planted: Plant, tmp_path: Path
) -> None:
    rough = noisy(training(index)[:40], 24.0)
    found = score(planted(rough), index, tmp_path / "score", FEATURES)["classes"]["none"]
    assert found["copying"]["copies"] < 20  # too rough to be twins
    assert found["copying"]["caught"]
    assert found["copying"]["nearer_by_lead"]["low"] > 0.5


def test_a_collapsed_generator_is_narrow(index: Path, planted: Plant, tmp_path: Path) -> None:
    one = noisy([head("none", "new", 0)] * 40, 3.0)
    document = score(planted(one), index, tmp_path / "score", FEATURES)
    figures = document["classes"]["none"]["figures"]["coarse"]
    assert narrow(figures)
    assert figures["made"]["recall"]["value"] < 0.1
    assert figures["made"]["spread"]["value"] < 0.2 * figures["real"]["spread"]["value"]
    assert "narrow: it covers" in document["answer"]


def test_a_run_is_scored_by_its_own_pictures(index: Path, tmp_path: Path) -> None:
    config = GanConfig(
        size=32, width=16, channels=1, noise=8, batch_size=8, images=8, every=1, device="cpu"
    )
    train(index, tmp_path / "run", config, classes=["none"])
    document = score(tmp_path / "run", index, tmp_path / "score", FEATURES, limit=24)
    assert document["classes"]["none"]["pictures"]["made"] == 24
    assert document["size"] == 32
    far = document["classes"]["none"]["figures"]["coarse"]
    assert far["made"]["kid"]["value"] > far["real"]["kid"]["value"]


def test_a_rival_is_measured_on_the_same_real_pictures(
    index: Path, planted: Plant, tmp_path: Path
) -> None:
    planted([head("none", "new", i) for i in range(30)]).rename(tmp_path / "good")
    poor = planted([head("none", "new", i) // 3 for i in range(30)])
    document = score(tmp_path / "good", index, tmp_path / "score", FEATURES, rival=poor)
    figures = document["classes"]["none"]["figures"]["coarse"]
    gap = figures["rival_kid_less_made"]
    expected = figures["rival"]["kid"]["value"] - figures["made"]["kid"]["value"]
    assert gap["value"] == pytest.approx(expected)
    assert gap["low"] > 0
    assert "the rival's KID less this one's +" in document["answer"]
    assert "its rival" in score_table(document)


def test_another_state_of_the_index_is_refused(index: Path, planted: Plant, tmp_path: Path) -> None:
    own = read_index(index)
    other = write_index(own.rows[1:], own.folder, tmp_path / "other.csv")
    made = planted([head("none", "new", i) for i in range(24)])
    with pytest.raises(IndexFileError, match="another state of the index"):
        score(made, other, tmp_path / "score", FEATURES)


def test_too_few_pictures_are_refused(index: Path, planted: Plant, tmp_path: Path) -> None:
    made = planted([head("none", "new", i) for i in range(8)])
    with pytest.raises(SplitError, match="8 pictures a side"):
        score(made, index, tmp_path / "score", FEATURES)


def test_halves_share_no_group(index: Path) -> None:
    rows = [dataclasses.replace(row, group=f"g{i // 3}")
            for i, row in enumerate(read_index(index).of("train"))]  # fmt: skip
    one, other = halves(rows)
    assert abs(len(one) - len(other)) <= 3
    assert len(one) + len(other) == len(rows)
    assert not {row.group for row in one} & {row.group for row in other}
