"""Training a generator: it learns, a stopped run goes on, what cannot be learned is refused."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from brainlens.core.errors import ConfigError, RunError, SplitError
from brainlens.core.interpolation import shrink
from brainlens.data.index import read_index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.synthetic import note
from brainlens.generative import inception
from brainlens.generative.budget import number_format, steps_of
from brainlens.generative.diffusionconfig import DiffusionConfig
from brainlens.generative.diffusionloop import DiffusionLoop
from brainlens.generative.ganconfig import GanConfig
from brainlens.generative.ganloop import GanLoop
from brainlens.generative.generatorloop import GeneratorLoop
from brainlens.generative.sampling import sample, seeds_of
from brainlens.generative.shown import Shown
from brainlens.generative.synthconfig import Settings
from brainlens.generative.synthrun import open_generator
from brainlens.generative.synthtraining import grid, train
from brainlens.metrics.fidelity import kid

Array = np.ndarray[Any, Any]
SMALL = GanConfig(
    size=32, width=16, channels=1, noise=8, batch_size=8, images=48, every=2, device="cpu"
)
FEW = dataclasses.replace(
    SMALL, conditional=True, critic_norm="spectral", ema=0.9, mirror=True,
    diffaugment=("colour", "shift", "cutout"), real_target=0.9,
)  # fmt: skip
SPREAD = DiffusionConfig(
    size=32, patch=4, width=8, noise_steps=10, draw_steps=1, batch_size=8, images=48, every=2,
    ema=0.9, device="cpu",
)  # fmt: skip


def disc(radius: float, *, left: int = 0) -> Array:
    y, x = np.mgrid[:32, :32]
    inside = ((x - 15 + left) ** 2 + (y - 15) ** 2) < radius**2
    return np.asarray(inside * 180 + 20, np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded pictures and features go to a folder of the test's own."""
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 discs of two classes; the last six rows of each class test."""
    folder = tmp_path_factory.mktemp("scans")
    for label, left in (("glioma", 4), ("none", 0)):
        for i in range(24):
            (folder / label).mkdir(exist_ok=True)
            Image.fromarray(disc(5 + i / 4, left=left)).save(folder / label / f"{i:02d}.png")
    rows = [
        dataclasses.replace(row, split="test" if i % 24 >= 18 else "train")
        for i, row in enumerate(index_folders([folder], label_map={}).rows)
    ]
    return write_index(rows, Path("/"), folder / "index.csv")


def look(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))


def test_each_pass_shows_every_picture_once_whatever_the_batches() -> None:
    pictures = np.arange(10, dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2)
    config = dataclasses.replace(SMALL, batch_size=4)
    shown = Shown(pictures, np.zeros(10, np.int64), config, 0, 5)
    batches = [shown[i][0][:, 0, 0, 0] for i in range(5)]
    order = ((torch.cat(batches) + 1) * 127.5).round().int().tolist()
    assert sorted(order[:10]) == list(range(10))
    assert sorted(order[10:]) == list(range(10))
    assert order[:10] != order[10:]
    late = Shown(pictures, np.zeros(10, np.int64), config, 3, 5)
    assert torch.equal(late[1][0], shown[4][0])


def test_several_classes_are_shown_equally_often() -> None:
    classes = np.array([0] * 16 + [1] * 4)
    shown = Shown(np.zeros((20, 2, 2), np.uint8), classes, dataclasses.replace(SMALL), 0, 5)
    seen = torch.cat([shown[i][1] for i in range(5)])
    assert torch.bincount(seen).tolist() == [20, 20]


def test_the_budget_is_epochs_or_pictures() -> None:
    assert steps_of(GanConfig(), 395) == 500 * 395 // 64
    assert steps_of(dataclasses.replace(GanConfig(), images=6400), 395) == 100


@pytest.mark.parametrize("config", [SMALL, FEW, SPREAD], ids=["dcgan", "dcgan-da", "diffusion"])
def test_a_run_holds_losses_grids_and_a_generator(
    config: Settings, index: Path, tmp_path: Path
) -> None:
    done = train(index, tmp_path / "run", config, classes=["none"])
    rows = look(tmp_path / "run")
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    losses = ("loss",) if config is SPREAD else ("critic", "generator")
    assert all(np.isfinite(float(row[name])) for row in rows for name in losses)
    assert (done.steps, done.images) == (6, 48)
    with Image.open(tmp_path / "run" / "samples" / "step-000006.png") as sheet:
        assert sheet.size == (256, 256)
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    record = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert record["data"]["pictures"] == 18  # the training rows alone
    assert record["data"]["index_digest"] == read_index(index).digest()
    source = open_generator(tmp_path / "run")
    assert source.pictures([7], "none").shape == (1, 32, 32)
    with pytest.raises(ConfigError, match="did you mean 'none'"):
        source.pictures([7], "non")


def test_a_generator_comes_nearer_to_what_it_is_shown(index: Path, tmp_path: Path) -> None:
    real = np.stack([shrink(disc(5 + i / 4), 4).ravel() / 255 for i in range(18)])
    config = dataclasses.replace(
        SMALL, width=32, images=8 * 120, every=60, critic_rate=1e-3, generator_rate=1e-3
    )

    def distance(run: Path) -> float:
        drawn = open_generator(run).pictures(range(30), "none").numpy()
        return kid(real, np.stack([shrink(one, 4).ravel() / 255 for one in drawn]))

    train(index, tmp_path / "start", dataclasses.replace(config, images=8), classes=["none"])
    train(index, tmp_path / "run", config, classes=["none"])
    assert distance(tmp_path / "run") < 0.5 * distance(tmp_path / "start")


def test_patience_stops_when_kid_no_longer_falls_and_keeps_the_best(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter([0.9, 0.5, 0.3, 0.4, 0.6, 0.1])
    monkeypatch.setattr("brainlens.metrics.fidelity.kid", lambda a, b: next(values))
    monkeypatch.setattr(inception, "inception_features", lambda pictures, device: pictures)
    config = dataclasses.replace(SMALL, kid_images=4, patience=2, images=8 * 12)
    done = train(index, tmp_path / "run", config, classes=["none"])
    assert [row["kid"] for row in look(tmp_path / "run")] == ["0.9", "0.5", "0.3", "0.4", "0.6"]
    assert done.figures["step"] == 4
    assert open_generator(tmp_path / "run").facts["step"] == 4
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["stopped"] == "early"


@pytest.mark.parametrize(
    ("config", "loop"), [(FEW, GanLoop), (SPREAD, DiffusionLoop)], ids=["dcgan-da", "diffusion"]
)
def test_a_stopped_run_goes_on_to_the_same_weights(
    config: Settings, loop: type[GeneratorLoop], index: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    train(index, tmp_path / "whole", config)
    step = loop.training_step
    count = iter(range(100))

    def stopping(self: GeneratorLoop, *arguments: Any) -> None:
        if next(count) == 5:
            raise KeyboardInterrupt
        step(self, *arguments)

    monkeypatch.setattr(loop, "training_step", stopping)
    with pytest.raises(RunError, match="stopped after 4 of 6 steps"):
        train(index, tmp_path / "run", config)
    monkeypatch.undo()
    assert open_generator(tmp_path / "run").facts["step"] == 4  # usable as it is
    again_from_4 = train(index, tmp_path / "run", config, resume=True)
    shown = again_from_4.speed * again_from_4.seconds  # this time; 48 in all
    assert (again_from_4.images, round(shown)) == (48, 16)
    whole, again = (load_file(tmp_path / n / "generator.safetensors") for n in ("whole", "run"))
    assert all(torch.equal(whole[key], again[key]) for key in whole)
    assert look(tmp_path / "run")[-1]["step"] == "6"
    with pytest.raises(RunError, match="nothing to resume"):
        train(index, tmp_path / "run", config, resume=True)


def test_what_cannot_be_learned_is_refused(index: Path, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="learns one class, got 2"):
        train(index, tmp_path / "run", SMALL)
    with pytest.raises(SplitError, match="no training image is of class 'nona'"):
        train(index, tmp_path / "run", SMALL, classes=["nona"])
    many = dataclasses.replace(SMALL, batch_size=32)
    with pytest.raises(SplitError, match=r"18 training images; expected at least 32, one batch"):
        train(index, tmp_path / "run", many, classes=["none"])
    found = read_index(index)
    rows = [dataclasses.replace(row, split="") for row in found.rows]
    unsplit = write_index(rows, found.folder, tmp_path / "unsplit.csv")
    with pytest.raises(SplitError, match="no train images"):
        train(unsplit, tmp_path / "run", SMALL, classes=["none"])
    assert not (tmp_path / "run").exists()


def test_another_state_of_the_index_does_not_resume(index: Path, tmp_path: Path) -> None:
    train(index, tmp_path / "run", SMALL, classes=["none"])
    (tmp_path / "run" / "checkpoint").mkdir()
    (tmp_path / "run" / "checkpoint" / "last.ckpt").write_bytes(b"")
    found = read_index(index)
    rows = [dataclasses.replace(row, split="train") for row in found.rows]
    other = write_index(rows, found.folder, tmp_path / "other.csv")
    with pytest.raises(RunError, match="another state of the index"):
        train(other, tmp_path / "run", SMALL, classes=["none"], resume=True)


def test_samples_are_an_index_that_says_where_they_came_from(index: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(index, run, FEW, recipe="dcgan-da")
    path = sample(run, tmp_path / "made", range(3, 6), classes=["none"])
    made = read_index(path)
    assert [row.path for row in made.rows] == [f"none/seed-{s:06d}.png" for s in (3, 4, 5)]
    assert {(row.split, row.origin, row.label) for row in made.rows} == {
        ("train", "dcgan-da", "none")
    }
    assert {note(row, "source") for row in made.rows} == {read_index(index).digest()}
    again = read_index(sample(run, tmp_path / "again", range(5, 6)))
    assert [row.label for row in again.rows] == ["glioma", "none"]
    assert again.rows[1].pixel_digest == made.rows[2].pixel_digest
    with Image.open(tmp_path / "made" / made.rows[0].path) as picture:
        assert "not a scan" in str(picture.info["Disclaimer"])


def test_a_run_without_a_look_cannot_be_drawn_from(index: Path, tmp_path: Path) -> None:
    train(index, tmp_path / "run", SMALL, classes=["none"])
    (tmp_path / "run" / "generator.safetensors").unlink()
    with pytest.raises(RunError, match="not reached its first look"):
        sample(tmp_path / "run", tmp_path / "made", range(2))
    with pytest.raises(RunError, match="is no generator's run"):
        open_generator(tmp_path)
    (tmp_path / "run" / "generator.safetensors").write_bytes(b"12345678")
    with pytest.raises(RunError, match="is no generator of brainlens"):
        open_generator(tmp_path / "run")


def test_seeds_are_a_count_or_a_range() -> None:
    assert seeds_of(None, 3) == range(3)
    assert seeds_of("5-6", None) == range(5, 7)
    assert seeds_of("0-394", 395) == range(395)
    for text, count, says in (("5", None, "FIRST-LAST"), ("6-5", None, "FIRST-LAST"),
                              ("0-9", 3, "give one"), (None, None, "how many")):  # fmt: skip
        with pytest.raises(ConfigError, match=says):
            seeds_of(text, count)


def test_a_sheet_is_filled_row_by_row() -> None:
    sheet = grid(np.arange(3, dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2), 2)
    assert sheet.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 0, 0], [2, 2, 0, 0]]


def test_generators_train_in_bf16_only_where_it_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a processor that is AMX; avx512_bf16 alone was slower than fp32 on these layers."""
    monkeypatch.setattr("brainlens.generative.budget.matrix_tiles", lambda: True)
    assert number_format("auto", "cpu") == "bf16-mixed"
    assert number_format("32-true", "cpu") == "32-true"
    monkeypatch.setattr("brainlens.generative.budget.matrix_tiles", lambda: False)
    assert number_format("auto", "cpu") == "32-true"
    assert number_format("bf16-mixed", "cpu") == "bf16-mixed"


def test_bf16_draws_nearly_what_fp32_draws(index: Path, tmp_path: Path) -> None:
    """Same seeds, a few steps: the two number formats part by less than training moves them."""
    config = dataclasses.replace(SMALL, images=16, every=2)
    drawn = {}
    for number in ("32-true", "bf16-mixed"):
        train(index, tmp_path / number, dataclasses.replace(config, precision=number),
              classes=["none"])  # fmt: skip
        record = json.loads((tmp_path / number / "provenance.json").read_text())
        assert record["precision"] == number
        drawn[number] = open_generator(tmp_path / number).pictures(range(4), "none").float()
    assert (drawn["32-true"] - drawn["bf16-mixed"]).abs().mean() < 4  # of 255 levels
    assert not torch.equal(drawn["32-true"], drawn["bf16-mixed"])
