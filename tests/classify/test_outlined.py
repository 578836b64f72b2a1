"""A part of the outlined tumours trains painted out; which part, is a setting."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from brainlens.classify.network import Classifier, load
from brainlens.classify.outlined import Outlined, outlined_data
from brainlens.classify.training import class_numbers, train
from brainlens.core.errors import ConfigError
from brainlens.data.index import read_index, write_index
from brainlens.data.preprocess import Preprocessing
from tests.classify.conftest import draw, split_index
from tests.classify.test_dense import PLAIN, outlined

HEALED = 3  # grey level of what the stand-in for painting leaves


def data(painted: float, monkeypatch: pytest.MonkeyPatch) -> Outlined:
    """Two hundred tumours with an outline each, whose painting leaves one grey level."""
    for name in ("healed", "decoys"):
        monkeypatch.setattr(
            f"brainlens.classify.outlined.{name}",
            lambda shown, *_, seed: np.full_like(shown, HEALED),
        )
    shown = np.full((200, 8, 8), 200, np.uint8)
    return Outlined(
        shown, np.full_like(shown, 255), np.ones(200, bool), np.zeros(200, np.int64),
        background=1, painted=painted, seed=0,
    )  # fmt: skip


@pytest.mark.parametrize("painted", [0.0, 0.2, 1.0])
def test_the_share_that_is_painted_out_is_the_setting_s_and_counts_as_background(
    painted: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = data(painted, monkeypatch).__getitems__(range(200))
    background = batch.classes == 1
    # 200 draws of probability 0.2 lie within 0.1 of it but once in a thousand cases.
    assert abs(float(background.float().mean()) - painted) < 0.1
    gone = (batch.pictures[:, 1] == 0).flatten(1).all(1)
    assert torch.equal(gone, background)
    assert bool((batch.pictures[background, 0] == HEALED).all())


def test_a_plain_classifier_learns_from_pictures_painted_out_and_from_partial_labels(
    tmp_path: Path,
) -> None:
    pictures = draw(tmp_path / "pictures")
    index = split_index(tmp_path, pictures)
    seen = read_index(index)
    rows = list(seen.rows)
    number = next(i for i, row in enumerate(rows) if (row.split, row.label) == ("train", "glioma"))
    rows[number] = dataclasses.replace(rows[number], label="tumour")
    write_index(rows, seen.folder, index)
    config = dataclasses.replace(PLAIN, outlines=str(outlined(tmp_path, pictures)), epochs=1,
                                 partial="tumour")  # fmt: skip
    train(index, tmp_path / "run", config)
    model = load(tmp_path / "run" / "model.safetensors")
    assert isinstance(model.network, Classifier)
    assert model.labels == ["glioma", "none"]
    # Not the weights of a run that shows every tumour.
    train(index, tmp_path / "all", dataclasses.replace(config, painted=0.0))
    other = load(tmp_path / "all" / "model.safetensors").network.state_dict()
    assert any(not torch.equal(v, other[k]) for k, v in model.network.state_dict().items())


@pytest.mark.parametrize("painted", [0.0, 0.2])
def test_validation_is_painted_out_only_where_training_is(tmp_path: Path, painted: float) -> None:
    pictures = draw(tmp_path / "pictures")
    index = read_index(split_index(tmp_path, pictures))
    rows = {split: index.of(split) for split in ("train", "val")}
    classes = {split: class_numbers(part, ["glioma", "none"]) for split, part in rows.items()}
    data = outlined_data(
        index, rows, classes, Preprocessing(32), str(outlined(tmp_path, pictures)),
        background=1, painted=painted, seed=0,
    )  # fmt: skip
    tumours = int((classes["val"] == 0).sum())
    assert tumours
    assert len(data["val"]) == len(rows["val"]) + (tumours if painted else 0)


def test_outlines_want_to_know_the_background(tmp_path: Path) -> None:
    pictures = draw(tmp_path / "pictures")
    config = dataclasses.replace(
        PLAIN, outlines=str(outlined(tmp_path, pictures)), background="non"
    )
    with pytest.raises(ConfigError, match="none"):
        train(split_index(tmp_path, pictures), tmp_path / "run", config)
