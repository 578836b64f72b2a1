"""Style training: both directions learn, a stopped run goes on as if it had not, errors say so."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from brainlens.core.errors import ConfigError, IndexFileError, RunError, UserError, WeightsError
from brainlens.data.index import write_index
from brainlens.data.indexing import index_folders
from brainlens.data.sample import copy_to
from brainlens.generative.styleconfig import StyleConfig, check, generator_shape, multiple
from brainlens.generative.stylegenerators import PAINTING, PHOTO, load_direction
from brainlens.generative.styleloop import rate_factor
from brainlens.generative.stylepictures import (
    Pairs,
    as_pixels,
    as_tensor,
    find_side,
    read_both,
    read_colour,
)
from brainlens.generative.styletraining import train

SMALL = StyleConfig(
    light=True, residual=True, width=8, depth=3, dropout=0.0, judge_width=8, judge_layers=1,
    load=32, load_least=32, crop=32, steps=4, decay_steps=2, every=2, cycle=5.0, identity=1.0,
    precision="32-true",
    pool=2, held_out=5, sheet=2, device="cpu",
)  # fmt: skip


def draw(folder: Path, low: int, count: int = 10, side: int = 32) -> str:
    """Stripes between `low` and `low` + 100, of another width in every picture."""
    folder.mkdir(parents=True)
    x = np.arange(side)[None, :, None] + np.zeros((side, 1, 3))
    for i in range(count):
        pixels = (low + 50 * (1 + np.sin(x / (i + 2)))).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return str(folder)


@pytest.fixture
def sides(tmp_path: Path) -> tuple[str, str]:
    return draw(tmp_path / "photos", 20), draw(tmp_path / "paintings", 120)


def losses(run: Path, name: str) -> list[float]:
    with (run / "metrics.csv").open() as stream:
        return [float(row[name]) for row in csv.DictReader(stream)]


def test_twenty_steps_end_to_end_lower_the_loss_of_an_overfit_pair(tmp_path: Path) -> None:
    """Dark stripes and light ones, the same in every picture: both ways are soon found."""
    photos, paintings = tmp_path / "dark", tmp_path / "light"
    for folder, low in ((photos, 20), (paintings, 120)):
        folder.mkdir()
        pixels = np.full((32, 32, 3), low, np.uint8)
        pixels[:, ::4] += 100
        for i in range(5):
            Image.fromarray(pixels).save(folder / f"{i}.png")
    config = dataclasses.replace(
        SMALL, residual=False, steps=20, decay_steps=0, every=5, learning_rate=5e-3
    )
    done = train(str(photos), str(paintings), tmp_path / "run", config)
    drawing = ("adversarial_painting", "adversarial_photo", "cycle_photo", "cycle_painting")
    totals = [sum(parts) for parts in zip(*(losses(done.run, n) for n in drawing), strict=True)]
    assert totals == sorted(totals, reverse=True)
    assert totals[-1] < 0.8 * totals[0]
    network, meaning = load_direction(done.run, PAINTING)
    assert meaning["steps"] == 20
    photo = as_tensor(read_colour(photos / "0.png"))[None]
    with torch.inference_mode():
        assert float(network(photo).mean()) > float(photo.mean()) + 0.1, "it has become lighter"
    record = json.loads((done.run / "provenance.json").read_text())
    assert record["data"]["photos"] == {
        "source": "dark", "train": 4, "held_out": 1, "digest": record["data"]["photos"]["digest"]
    }  # fmt: skip
    assert record["stopped"] == "steps"
    assert record["cpu_seconds"] > 0
    assert [path.name for path in sorted((done.run / "sheets").iterdir())] == [
        f"step-{step:06d}.png" for step in (5, 10, 15, 20)
    ]
    assert list((done.run / "tensorboard").iterdir())


def test_a_resumed_run_ends_exactly_where_an_unbroken_one_does(
    tmp_path: Path, sides: tuple[str, str]
) -> None:
    """Pools, both optimizers, learning rates and crops go on; so do dropout's draws."""
    config = dataclasses.replace(SMALL, dropout=0.3)
    train(*sides, tmp_path / "whole", config)
    half = dataclasses.replace(config, steps=2, decay_steps=0)  # the last two steps decay
    train(*sides, tmp_path / "parts", half)
    first, *_ = losses(tmp_path / "whole", "cycle_photo")
    assert losses(tmp_path / "parts", "cycle_photo") == [first]
    train(*sides, tmp_path / "parts", half, resume=True,
          longer={"steps": 4, "decay_steps": 2})  # fmt: skip
    for name in (PAINTING, PHOTO):
        one, other = (load_file(tmp_path / run / f"{name}.safetensors") for run in
                      ("whole", "parts"))  # fmt: skip
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert (tmp_path / "whole/metrics.csv").read_text() == (
        tmp_path / "parts/metrics.csv"
    ).read_text()


def test_resuming_refuses_what_is_not_the_same_run(tmp_path: Path, sides: tuple[str, str]) -> None:
    with pytest.raises(RunError, match="nothing to resume"):
        train(*sides, tmp_path / "none", SMALL, resume=True)
    train(*sides, tmp_path / "run", dataclasses.replace(SMALL, steps=2))
    (tmp_path / "run/photos").mkdir()  # names that do not give the swap away
    a, b = (str(Path(side).rename(tmp_path / name)) for side, name in zip(sides, "ab", strict=True))
    with pytest.raises(RunError, match=r"the other way round\. Swap PHOTOS and PAINTINGS"):
        train(b, a, tmp_path / "run", SMALL, resume=True)
    with pytest.raises(ConfigError, match="--set width: a resumed run keeps it"):
        train(a, b, tmp_path / "run", SMALL, resume=True, longer={"width": 9})
    (tmp_path / "a/00.png").write_bytes((tmp_path / "b/00.png").read_bytes())
    with pytest.raises(RunError, match="trained on other photos"):
        train(a, b, tmp_path / "run", SMALL, resume=True)
    with pytest.raises(UserError, match="already holds files"):
        train(a, b, tmp_path / "run", SMALL)


def test_a_generator_file_of_the_other_direction_is_refused(
    tmp_path: Path, sides: tuple[str, str]
) -> None:
    run = train(*sides, tmp_path / "run", dataclasses.replace(SMALL, steps=2)).run
    with pytest.raises(WeightsError, match=r"goes the other way \(to_photo\); expected to_paint"):
        load_direction(run / "to_photo.safetensors", PAINTING)
    with pytest.raises(WeightsError, match="no such generator"):
        load_direction(tmp_path / "none", PAINTING)
    (tmp_path / "x.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="is no generator of brainlens style train"):
        load_direction(tmp_path / "x.safetensors", PAINTING)


def test_sides_that_cannot_be_learnt_from_are_refused(tmp_path: Path) -> None:
    photos, paintings = draw(tmp_path / "my photos", 20), draw(tmp_path / "vangogh", 120)
    few = draw(tmp_path / "few", 0, count=4)
    small = draw(tmp_path / "small", 0, side=16)
    (tmp_path / "empty").mkdir()
    for pair, message in (
        ((paintings, photos), "vangogh and my photos look swapped; expected PHOTOS, then"),
        ((photos, photos), "is given for both sides"),
        ((photos, str(tmp_path / "none")), "none: no such folder"),
        ((photos, str(tmp_path / "empty")), "empty: holds no picture"),
        ((few, paintings), r"few: has 3 pictures .* expected 4 or more"),
        ((small, paintings), r"small: has 0 pictures of at least 32 pixels a side"),
    ):
        with pytest.raises(UserError, match=message):
            read_both(*pair, SMALL)


def test_every_fifth_picture_is_kept_for_the_score(sides: tuple[str, str]) -> None:
    photos, paintings = read_both(*sides, SMALL)
    assert (len(photos.train), len(photos.held_out)) == (8, 2)
    kept = read_colour(Path(sides[0]) / "05.png")
    assert np.array_equal(photos.held_out[1], kept)
    assert not any(np.array_equal(kept, one) for one in photos.train)
    assert photos.facts["digest"] != paintings.facts["digest"]


def test_a_side_may_be_part_of_an_index(tmp_path: Path) -> None:
    """Its training rows alone, here all, whose path holds the text."""
    scans = copy_to(tmp_path / "scans")
    found = index_folders([scans], label_map={}).rows
    rows = [dataclasses.replace(row, split="train") for row in found]
    write_index(rows, Path("/"), tmp_path / "index.csv")
    part = find_side(f"{tmp_path / 'index.csv'}::/none/")
    assert part
    assert {file.parent.name for file in part} == {"none"}
    assert len(part) < len(find_side(str(tmp_path / "index.csv")))
    scans.rename(tmp_path / "moved")
    with pytest.raises(IndexFileError, match=r"The images lie below .*moved now"):
        find_side(str(tmp_path / "index.csv"))


def test_samples_depend_on_seed_and_step_alone(sides: tuple[str, str]) -> None:
    photos, paintings = read_both(*sides, SMALL)
    config = dataclasses.replace(SMALL, batch_size=2, load=48, load_least=32)
    whole = Pairs(photos.train, paintings.train, config, 0, 6)
    later = Pairs(photos.train, paintings.train, config, 3, 6)
    for one, other in zip(whole[4], later[1], strict=True):
        assert torch.equal(one, other)
        assert one.shape == (2, 3, 32, 32)
    elsewhere = Pairs(photos.train, paintings.train, config, 0, 6, rank=1)[4]
    assert not torch.equal(elsewhere[0], whole[4][0])
    assert len(whole) == 6
    with pytest.raises(IndexError):
        whole[6]


def test_pixels_survive_the_way_into_the_network_and_back() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    assert np.array_equal(as_pixels(as_tensor(pixels)), pixels)


def test_the_learning_rate_falls_in_a_line_at_the_end() -> None:
    config = dataclasses.replace(SMALL, steps=10, decay_steps=4)
    assert [rate_factor(step, config) for step in (0, 6, 7, 8, 10)] == [1, 1, 0.75, 0.5, 0]
    assert rate_factor(9, dataclasses.replace(config, decay_steps=0)) == 1


def test_sides_are_multiples_of_what_the_network_halves() -> None:
    assert multiple(generator_shape(StyleConfig(depth=5))) == 32
    assert multiple(generator_shape(StyleConfig(generator="resnet"))) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 3}, "steps=3: expected a multiple of every=2"),
        ({"crop": 36, "load": 64, "load_least": 64}, r"crop=36: expected a multiple of 8"),
        ({"load_least": 16}, "expected each at most as large as the next"),
        ({"width": 0}, "width=0: expected 1 or more"),
        ({"cycle": -1.0}, "cycle=-1.0: expected 0 or more"),
        ({"decay_steps": 9}, "decay_steps=9: expected at most steps"),
        ({"held_out": 1}, "held_out=1: expected 2 or more"),
        ({"judge_layers": 3}, "crop=32: too small for judge_layers=3"),
        ({"dropout": 1.0}, "dropout=1.0"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check(dataclasses.replace(SMALL, **wrong))  # type: ignore[arg-type]
