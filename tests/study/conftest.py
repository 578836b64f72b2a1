"""A small study on pictures that a tiny network can tell apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brainlens.study.design import Design, parse_design
from tests.classify.conftest import draw, split_index

TABLES: dict[str, Any] = {
    "design": {"array": "L4", "replicates": 2},
    "factors": {
        "dropout": [0.1, 0.4], "optimizer": ["adam", "sgd"], "learning_rate": [0.02, 0.005],
    },
    "arms": {"plain": {"augment": "none"}, "augmented": {"augment": "light", "views": 1}},
    "settings": {
        "backbone": "cnn_c", "size": 32, "pool": "average", "hidden": [6], "tune": "head",
        "weights": "none", "epochs": 3, "batch_size": 8, "schedule": "constant",
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures and features go to a folder of the test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("BRAINLENS_CACHE", str(folder))
    return folder


@pytest.fixture
def tiny_index(tmp_path: Path) -> Path:
    return split_index(tmp_path, draw(tmp_path / "pictures"))


@pytest.fixture
def make_design() -> Callable[..., Design]:
    """The small design, with whole tables replaced or (as `settings__epochs=2`) single keys."""

    def make(**changes: Any) -> Design:
        tables = {name: dict(table) for name, table in TABLES.items()}
        for key, value in changes.items():
            table, _, entry = key.partition("__")
            if entry:
                tables[table][entry] = value
            else:
                tables[table] = value
        return parse_design(tables, "tiny")

    return make
