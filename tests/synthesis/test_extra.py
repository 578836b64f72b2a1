"""Made pictures train beside real ones: counted, kept with the run, never judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainlens.classify.config import TrainConfig
from brainlens.classify.evaluation import evaluate
from brainlens.classify.training import train
from brainlens.core.errors import IndexFileError
from brainlens.data.index import read_index
from tests.synthesis.conftest import head

Plant = Callable[[list[np.ndarray[Any, Any]]], Path]
CONFIG = TrainConfig(
    backbone="cnn_c", weights="none", size=32, pool="average", hidden=(), augment="none",
    epochs=1, batch_size=16, tune="all", device="cpu",
)  # fmt: skip


def test_a_run_counts_its_made_pictures_and_judges_real_ones(
    index: Path, planted: Plant, tmp_path: Path
) -> None:
    made = planted([head("none", "new", i) for i in range(12)])
    train(index, tmp_path / "run", CONFIG, extra=made / "index.csv")
    record = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert record["index"]["images"]["train"] == 90 + 12
    assert record["index"]["synthetic"] == {"planted": 12}
    kept = read_index(tmp_path / "run" / "index.csv")
    assert sum(row.origin == "planted" for row in kept.of("train")) == 12
    figures = evaluate(tmp_path / "run", index, tmp_path / "eval")
    assert figures["images"] == len(read_index(index).of("test"))
    plain = train(index, tmp_path / "plain", CONFIG)
    assert plain.run == tmp_path / "plain"
    told = json.loads((tmp_path / "plain" / "provenance.json").read_text())
    assert told["index"]["synthetic"] == {}


def test_pictures_of_another_index_do_not_train(
    index: Path, planted: Plant, tmp_path: Path
) -> None:
    made = planted([head("none", "new", 0)])
    text = (made / "index.csv").read_text().replace("source=", "source=0")
    (made / "index.csv").write_text(text)
    with pytest.raises(IndexFileError, match="learned from another index"):
        train(index, tmp_path / "run", CONFIG, extra=made / "index.csv")
    assert not (tmp_path / "run").exists()
