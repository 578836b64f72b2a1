"""Training: patches belong together, both phases learn, a stopped run goes on."""

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

from brainlens.core.errors import ConfigError, RunError, SplitError
from brainlens.data.index import write_index
from brainlens.data.indexing import index_folders
from brainlens.generative.degradation import kspace
from brainlens.generative.generators import open_generator
from brainlens.generative.srconfig import SrConfig, check
from brainlens.generative.srloop import SrLoop, relativistic
from brainlens.generative.srpatches import Patches, made_coarse, read_sides
from brainlens.generative.srtraining import train

SMALL = SrConfig(
    blocks=1, features=8, growth=32, start="none", patch=32, batch_size=2, pixel_steps=4,
    gan_steps=0, every=2, val_images=2, learning_rate=1e-3, device="cpu", precision="32-true",
)  # fmt: skip


def draw(folder: Path, count: int = 12) -> Path:
    """Discs of several sizes: sharp edges, which a coarse scan loses."""
    y, x = np.mgrid[:64, :64]
    for i in range(count):
        disc = ((x - 32) ** 2 + (y - 30) ** 2 < (10 + i) ** 2) * 160 + 20
        place = folder / ("none" if i % 2 else "glioma")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(disc.astype(np.uint8)).save(place / f"{i:02d}.png")
    return folder


def test_a_pair_is_one_place_sharp_and_coarse() -> None:
    rough = np.random.default_rng(0).integers(0, 256, (8, 10), dtype=np.uint8)
    picture = rough.repeat(8, 0).repeat(8, 1)
    config = dataclasses.replace(SMALL, shrink="bicubic")
    coarse, sharp = Patches([picture], config, 0, 4)[3]
    assert coarse.shape == (2, 1, 8, 8)
    assert sharp.shape == (2, 1, 32, 32)
    mean = torch.nn.functional.avg_pool2d(sharp, 4)
    assert float(torch.corrcoef(torch.stack([mean.flatten(), coarse.flatten()]))[0, 1]) > 0.9


def test_a_step_s_patches_depend_on_seed_and_step_alone() -> None:
    pictures = [np.random.default_rng(i).integers(0, 256, (48, 48), dtype=np.uint8) for i in (0, 1)]
    early, late = Patches(pictures, SMALL, 0, 9), Patches(pictures, SMALL, 5, 9)
    assert torch.equal(early[7][0], late[2][0])
    assert not torch.equal(early[7][1], early[6][1])


def test_without_a_draw_coarse_is_plain_k_space() -> None:
    sharp = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = kspace(sharp[None], 4)[0].clamp(0, 1)
    torch.testing.assert_close(made_coarse(sharp, SMALL), expected, atol=0.5 / 255 + 1e-6, rtol=0)


def test_relativistic_losses_by_hand() -> None:
    real, fake = torch.tensor([[2.0]]), torch.tensor([[0.0]])
    # The critic is right by 2: -log sigmoid(2) = 0.126928, -log sigmoid(-2) = 2.126928.
    assert float(relativistic(real, fake, for_generator=False)) == pytest.approx(0.126928, abs=1e-5)
    assert float(relativistic(real, fake, for_generator=True)) == pytest.approx(2.126928, abs=1e-5)


def test_an_index_keeps_its_sides_apart(tmp_path: Path) -> None:
    found = index_folders([draw(tmp_path / "scans")], label_map={})
    rows = [dataclasses.replace(row, split="val" if i < 3 else "train")
            for i, row in enumerate(found.rows)]  # fmt: skip
    index = write_index(rows, Path("/"), tmp_path / "index.csv")
    train_side, val_side, facts = read_sides(index, SMALL)
    assert (len(train_side), len(val_side)) == (9, 2)  # at most val_images
    assert facts["grouped"]
    unsplit = write_index(found.rows, Path("/"), tmp_path / "unsplit.csv")
    with pytest.raises(SplitError, match="no train pictures"):
        read_sides(unsplit, SMALL)


def test_training_learns_edges_and_writes_usable_generators(tmp_path: Path) -> None:
    folder = draw(tmp_path / "scans")
    config = dataclasses.replace(SMALL, pixel_steps=60, every=20, noise=0.0, damping=0.0)
    done = train(folder, tmp_path / "run", config)
    rows = list(csv.DictReader((tmp_path / "run" / "metrics.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["20", "40", "60"]
    assert float(rows[-1]["psnr"]) > float(rows[0]["psnr"])
    assert done.figures["psnr"]["psnr"] == pytest.approx(
        max(float(row["psnr"]) for row in rows), abs=0.05
    )
    model = tmp_path / "run" / "model.safetensors"
    assert open_generator(weights=model).enlarge(np.zeros((8, 8, 1), np.float32)).shape[0] == 32
    assert not json.loads((tmp_path / "run" / "provenance.json").read_text())["data"]["grouped"]
    with pytest.raises(RunError, match="nothing to resume"):
        train(folder, tmp_path / "other", config, resume=True)


def test_the_second_phase_runs_and_interpolates(shared: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, pixel_steps=2, gan_steps=2, alpha=0.25)
    train(draw(tmp_path / "scans"), tmp_path / "run", config)
    states = {name: load_file(tmp_path / "run" / f"{name}.safetensors")
              for name in ("psnr", "gan", "model")}  # fmt: skip
    for key, value in states["model"].items():
        expected = torch.lerp(states["psnr"][key].float(), states["gan"][key].float(), 0.25)
        torch.testing.assert_close(value.float(), expected, atol=2e-3, rtol=1e-2)
    assert not torch.equal(states["psnr"]["conv_last.weight"], states["gan"]["conv_last.weight"])


def test_bf16_trains_too_and_is_judged_in_fp32(tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, precision="bf16-mixed")
    done = train(draw(tmp_path / "scans"), tmp_path / "run", config)
    rows = list(csv.DictReader((tmp_path / "run" / "metrics.csv").read_text().splitlines()))
    # The file holds matrices in half precision, so a little is lost between the two.
    assert done.figures["psnr"]["psnr"] == pytest.approx(
        max(float(row["psnr"]) for row in rows), abs=0.05
    )


def test_a_stopped_run_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = draw(tmp_path / "scans")
    train(folder, tmp_path / "whole", SMALL)
    step = SrLoop.training_step
    count = iter(range(100))

    def stopping(self: SrLoop, *arguments: object) -> None:
        if next(count) == 3:
            raise KeyboardInterrupt
        step(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SrLoop, "training_step", stopping)
    with pytest.raises(RunError, match="stopped after 2 steps"):
        train(folder, tmp_path / "run", SMALL)
    monkeypatch.undo()
    assert open_generator(weights=tmp_path / "run" / "psnr.safetensors").scale == 4
    train(folder, tmp_path / "run", SMALL, resume=True)
    whole, resumed = (load_file(tmp_path / name / "psnr.safetensors") for name in ("whole", "run"))
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_a_finished_first_phase_may_be_given_a_second_one(shared: Path, tmp_path: Path) -> None:
    folder, run = draw(tmp_path / "scans"), tmp_path / "run"
    train(folder, run, SMALL)
    with pytest.raises(ConfigError, match="learning_rate: a resumed run keeps it"):
        train(folder, run, SMALL, resume=True, later={"learning_rate": 1.0})
    second = {"gan_steps": 2, "critic_steps": 2}
    done = train(folder, run, SMALL, resume=True, later=second)
    assert set(done.figures) == {"bicubic", "psnr", "gan", "model"}
    # Only the critic learned: the generator is still the best of phase 1.
    psnr, gan = (load_file(run / f"{name}.safetensors") for name in ("psnr", "gan"))
    assert all(torch.equal(psnr[key], gan[key]) for key in psnr)
    with pytest.raises(ConfigError, match="critic_steps: a resumed run keeps it"):
        train(folder, run, SMALL, resume=True, later={"critic_steps": 0})
    train(folder, run, SMALL, resume=True, later={"gan_steps": 4})
    gan = load_file(run / "gan.safetensors")
    assert any(not torch.equal(psnr[key], gan[key]) for key in psnr)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"patch": 33}, "multiple of 4"), ({"alpha": 1.5}, "0 to 1"), ({"blocks": 0}, "1 or more"),
     ({"pixel_steps": 3}, "multiple of every=2")],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(change: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check(dataclasses.replace(SMALL, **change))  # type: ignore[arg-type]
