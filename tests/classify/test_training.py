"""A run is exact: resumed, split over processes or repeated, it ends in the same place."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from brainlens.classify.config import TrainConfig
from brainlens.classify.evaluation import evaluate
from brainlens.classify.loop import Loop
from brainlens.classify.network import load
from brainlens.classify.run import checkpoint_path
from brainlens.classify.training import train
from brainlens.core.config import to_toml
from brainlens.core.errors import OutputError, RunError, SplitError, WeightsError
from brainlens.data.index import read_index, write_index
from tests.classify.conftest import TINY
from tests.commands import run as command
from tests.commands import said, start

TRAIN = [sys.executable, "-m", "brainlens.cli", "train"]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def epochs_of(run: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv."""
    return list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))


def same(one: Path, other: Path) -> bool:
    """Whether two runs ended with the same weights, bit for bit."""
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def die_in_the_third_epoch() -> None:
    """Have this process kill itself, as a power cut would, in the middle of the third epoch."""
    step = Loop.training_step

    def dying(self: Loop, batch: Any, batch_idx: int) -> Any:
        if self.current_epoch == 2 and batch_idx == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, batch, batch_idx)

    Loop.training_step = dying  # type: ignore[method-assign]


def hear_ctrl_c() -> None:
    """A shell that runs the tests in the background has them ignore Ctrl-C; undo that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_run_learns_and_leaves_what_the_next_stages_need(
    tiny_index: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    easy = dataclasses.replace(TINY, epochs=8, augment="none", dropout=0.0, schedule="constant")
    done = train(tiny_index, run, easy)
    assert done.best_value >= 0.9
    left = {entry.name for entry in run.iterdir()}
    assert left == {
        ".brainlens", "config.toml", "index.csv", "metrics.csv", "model.safetensors",
        "provenance.json", "tensorboard",
    }  # fmt: skip
    assert any((run / "tensorboard").iterdir())
    rows = epochs_of(run)
    assert [int(row["epoch"]) for row in rows] == list(range(1, 9))
    record = json.loads((run / "provenance.json").read_text())
    assert record["stopped"] == "epochs"
    assert record["split"]["protocol"] == "grouped"
    assert record["index"]["digest"] == read_index(tiny_index).digest()
    loaded = load(run / "model.safetensors")
    assert loaded.labels == ["glioma", "none"]
    assert loaded.preprocessing.size == 32
    best = max(rows, key=lambda row: float(row["val_balanced_accuracy"]))
    assert done.best_epoch == int(best["epoch"])


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    tiny_index: Path, tmp_path: Path
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(tiny_index, tmp_path / name, dataclasses.replace(TINY, seed=seed))
    assert same(tmp_path / "a", tmp_path / "b")
    assert not same(tmp_path / "a", tmp_path / "c")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"schedule": "cosine", "optimizer": "adamw", "balance": "sampling"},
        {"tune": "two-phase", "head_epochs": 2, "schedule": "cosine", "patience": 5},
    ],
    ids=["plateau", "cosine", "two-phase"],
)
def test_a_killed_run_resumes_to_the_same_weights(
    tiny_index: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    config = dataclasses.replace(TINY, epochs=4, monitor="val_loss", **change)  # type: ignore[arg-type]
    train(tiny_index, tmp_path / "whole", config)
    killed = tmp_path / "killed"
    settings = tmp_path / "settings.toml"
    settings.write_text(to_toml(config))
    words = ["train", str(tiny_index), "-o", str(killed), "--config", str(settings)]
    code, errors = command(words, tmp_path, before=die_in_the_third_epoch)
    assert code == -signal.SIGKILL, errors
    assert checkpoint_path(killed).is_file()
    train(tiny_index, killed, TINY, resume=True)  # the run's own settings win
    assert same(tmp_path / "whole", killed)
    assert not checkpoint_path(killed).exists()
    columns = ("epoch", "train_loss", "val_loss", "learning_rate")
    tables = [
        [[row[c] for c in columns] for row in epochs_of(run)]
        for run in (tmp_path / "whole", killed)
    ]
    assert tables[0] == tables[1]


def test_ctrl_c_leaves_a_usable_run_and_says_how_to_resume(
    tiny_index: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    settings = ["backbone=cnn_c", "size=32", "hidden=[8]", "tune=all", "epochs=5000"]
    sets = [word for setting in settings for word in ("--set", setting)]
    words = ["train", str(tiny_index), "-o", str(run), *sets]
    process = start(words, tmp_path, before=hear_ctrl_c)
    try:
        deadline = time.monotonic() + 90
        # The state comes last of what an epoch writes.
        while not checkpoint_path(run).is_file() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
        process.join(60)
    finally:
        process.kill()
        process.join()
    errors = said(tmp_path)
    assert process.exitcode == 130, errors
    assert errors.splitlines()[-1].endswith(f"and --resume; {run} is usable as it is")
    assert "Traceback" not in errors
    assert load(run / "model.safetensors").labels == ["glioma", "none"]
    assert json.loads((run / "provenance.json").read_text())["stopped"] == "interrupted"
    assert checkpoint_path(run).is_file()


@pytest.mark.slow
def test_two_processes_train_one_model(tiny_index: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = tmp_path / "settings.toml"
    settings.write_text(to_toml(dataclasses.replace(TINY, tune="two-phase", epochs=3)))
    arguments = [str(tiny_index), "-o", str(run), "--config", str(settings), "--devices", "2"]
    done = subprocess.run(
        [*TRAIN, *arguments], capture_output=True, text=True, timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = epochs_of(run)
    assert len(rows) == 3
    assert json.loads((run / "provenance.json").read_text())["machine"]["devices"] == 2
    assert load(run / "model.safetensors").labels == ["glioma", "none"]


def test_a_class_known_in_part_is_learnt_and_judged_by_no_plain_head(
    tiny_index: Path, tmp_path: Path
) -> None:
    index = read_index(tiny_index)
    vague = {
        next(row.path for row in index.rows if (row.split, row.label) == (split, "glioma"))
        for split in ("train", "val", "test")
    }
    rows = [
        dataclasses.replace(row, label="tumour") if row.path in vague else row for row in index.rows
    ]
    write_index(rows, index.folder, tiny_index)
    run = tmp_path / "run"
    train(tiny_index, run, dataclasses.replace(TINY, epochs=1, partial="tumour"))
    assert load(run / "model.safetensors").labels == ["glioma", "none"]
    evaluate(run, tiny_index, tmp_path / "eval")
    judged = csv.DictReader((tmp_path / "eval" / "predictions.csv").read_text().splitlines())
    test = {row.path for row in rows if row.split == "test" and row.label != "tumour"}
    assert {row["path"] for row in judged} == test


def test_early_stopping_keeps_the_best_weights(tiny_index: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    config = dataclasses.replace(TINY, epochs=40, patience=2, monitor="val_accuracy")
    done = train(tiny_index, run, config)
    rows = epochs_of(run)
    assert len(rows) < 40
    assert len(rows) == done.best_epoch + 2
    assert load(run / "model.safetensors").facts["epoch"] == done.best_epoch


def test_frozen_layers_do_not_move(tiny_index: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, backbone="mobilenetv2", weights="none", tune="last",
                                 tune_blocks=1, epochs=1, hidden=())  # fmt: skip
    train(tiny_index, tmp_path / "one", config)
    train(tiny_index, tmp_path / "two", dataclasses.replace(config, learning_rate=0.1))
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    moved = {key for key in one if not torch.equal(one[key], two[key])}
    assert any(key.startswith("head") for key in moved)
    frozen = [key for key in one if key.startswith("backbone.network.conv_stem")
              or (".bn1.running_mean" in key and "blocks.0" in key)]  # fmt: skip
    assert frozen
    assert not moved & set(frozen)


def test_a_used_folder_is_left_alone(tiny_index: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=r"run: .*another -o|run: is no run of brainlens"):
            train(tiny_index, run, TINY, overwrite=overwrite)
    assert (run / "thesis.txt").read_text() == "mine"


def test_a_second_run_needs_overwrite(tiny_index: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, epochs=1)
    train(tiny_index, tmp_path / "run", config)
    with pytest.raises(OutputError, match="--overwrite"):
        train(tiny_index, tmp_path / "run", config)
    train(tiny_index, tmp_path / "run", config, overwrite=True)


def test_a_killed_run_is_not_begun_again_by_mistake(tiny_index: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    checkpoint_path(run).parent.mkdir(parents=True)
    checkpoint_path(run).write_bytes(b"of epoch 2")
    with pytest.raises(RunError, match="not finished"):
        train(tiny_index, run, TINY)
    assert checkpoint_path(run).read_bytes() == b"of epoch 2"


def test_a_finished_run_has_nothing_to_resume(tiny_index: Path, tmp_path: Path) -> None:
    train(tiny_index, tmp_path / "run", dataclasses.replace(TINY, epochs=1))
    with pytest.raises(RunError, match="has finished"):
        train(tiny_index, tmp_path / "run", TINY, resume=True)
    with pytest.raises(RunError, match="is no run"):
        train(tiny_index, tmp_path / "nothing", TINY, resume=True)


def test_an_index_without_a_split_says_how_to_make_one(tiny_index: Path, tmp_path: Path) -> None:
    index = read_index(tiny_index)
    rows = [dataclasses.replace(row, split="") for row in index.rows]
    write_index(rows, index.folder, tiny_index)
    with pytest.raises(SplitError, match="brainlens split"):
        train(tiny_index, tmp_path / "run", TINY)
    assert not (tmp_path / "run").exists()


def test_missing_weights_stop_before_anything_is_written(
    tiny_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINLENS_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    config = TrainConfig(backbone="mobilenetv2", device="cpu")
    with pytest.raises(WeightsError, match=r"mobilenetv2_100.tv_in1k.safetensors .* weights=none"):
        train(tiny_index, tmp_path / "run", config)
    assert not (tmp_path / "run").exists()
