"""Owns the stage `style train`: two folders in, a run folder with two generators out.

`to_painting.safetensors` and `to_photo.safetensors` carry what they are; `sheets/` shows held-out
photos after every so many steps; `metrics.csv` and TensorBoard hold the losses.
"""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image

from brainlens.core.config import read_toml, resolve, to_toml
from brainlens.core.driving import drive
from brainlens.core.errors import ConfigError, RunError
from brainlens.core.files import fresh_folder, replacing, write_atomic, write_json
from brainlens.core.processors import choose_precision
from brainlens.core.progress import duration, say
from brainlens.core.provenance import now, provenance
from brainlens.core.seeding import seed_everything
from brainlens.generative.generators import choose_device
from brainlens.generative.sheet import grid
from brainlens.generative.styleconfig import StyleConfig, check, generator_shape, multiple
from brainlens.generative.stylegenerators import PAINTING, PHOTO, save_generator
from brainlens.generative.styleloop import StyleLoop
from brainlens.generative.stylepictures import Array, as_pixels, as_tensor, fitted, read_both

LONGER = ("steps", "decay_steps")  # what a resumed run may change
_QUIET_SECONDS = 60.0  # between lines that say how far a run is
_FIGURES = ["adversarial_painting", "adversarial_photo", "cycle_photo", "cycle_painting",
            "identity", "texture", "content", "judge_painting", "judge_photo"]  # fmt: skip


@dataclass(frozen=True)
class StyleTrained:
    """What a run ended with."""

    run: Path
    figures: dict[str, float]  # mean losses of the last `every` steps
    seconds: float
    first: bool = True  # of several processes the one that writes


def train(
    photos: str, paintings: str, run: Path, config: StyleConfig, *, overwrite: bool = False,
    resume: bool = False, devices: int = 1, longer: dict[str, Any] | None = None,
) -> StyleTrained:  # fmt: skip
    """Train both directions; raises UserError kinds for data, settings or a folder that do not fit.

    A resumed run keeps its settings but for those of `longer`: how many steps it has.
    """
    first = int(os.environ.get("LOCAL_RANK", "0")) == 0  # Lightning starts the other processes
    checkpoint = run / "checkpoint" / "last.ckpt"
    if resume:
        config = resumed(run, checkpoint, longer or {})
    check(config)
    choose_device(config.device)
    clock, started = time.monotonic(), now()
    sides = read_both(photos, paintings, config)
    facts = {"photos": sides[0].facts, "paintings": sides[1].facts}
    if resume:
        same_data(run, facts)
    seed_everything(config.seed, "init")
    loop = StyleLoop(config, *sides)
    before = _spent(run) if resume else (0.0, 0.0)

    def note(stopped: str, losses: dict[str, Any]) -> None:
        own = provenance("style-run", config.seed, started, time.monotonic() - clock)
        spent = {"seconds_before": before[0], "cpu_seconds": before[1] + time.process_time()}
        rest = {"data": facts, "stopped": stopped, "figures": losses}
        write_json(run / "provenance.json", own | spent | rest)

    if first:
        if not resume:
            fresh_folder(run, overwrite=overwrite, kind="style run")
        write_atomic(run / "config.toml", to_toml(config))
        note("running", {})
        number = sum(p.numel() for p in loop.gan.to_painting.parameters())
        say(f"training two generators of {number:,} parameters on {len(sides[0].train)} photos "
            f"and {len(sides[1].train)} paintings, {config.steps} steps")  # fmt: skip
    ledger = Ledger(run, config, facts, note)
    trainer = _fit(loop, ledger, run, checkpoint, resume, devices)
    if trainer.is_global_zero:
        note("steps", ledger.last)
    return StyleTrained(run, ledger.last, time.monotonic() - clock, trainer.is_global_zero)


def resumed(run: Path, checkpoint: Path, longer: dict[str, Any]) -> StyleConfig:
    """The settings of an unfinished run; raises RunError where there is nothing to go on with."""
    if not checkpoint.is_file():
        raise RunError(f"{run}: there is nothing to resume. Start again with --overwrite")
    fixed = sorted(set(longer) - set(LONGER))
    if fixed:
        raise ConfigError(f"--set {fixed[0]}: a resumed run keeps it; only steps may change")
    return resolve(StyleConfig, read_toml(run / "config.toml"), longer)


def same_data(run: Path, facts: dict[str, Any]) -> None:
    """Refuse to go on with other pictures, and say where they are merely swapped."""
    before = json.loads((run / "provenance.json").read_text("utf-8"))["data"]
    for side, other in (("photos", "paintings"), ("paintings", "photos")):
        if before[side]["digest"] == facts[other]["digest"]:
            raise RunError(f"{run}: was trained the other way round. Swap PHOTOS and PAINTINGS")
        if before[side]["digest"] != facts[side]["digest"]:
            raise RunError(f"{run}: was trained on other {side}. Resume with those it began with")


def _spent(run: Path) -> tuple[float, float]:
    """Seconds of the wall clock and of the processor that a run took before."""
    record = json.loads((run / "provenance.json").read_text("utf-8"))
    wall = float(record.get("seconds_before", 0.0)) + float(record["seconds"])
    return wall, float(record.get("cpu_seconds", 0.0))


class Ledger(pl.Callback):
    """Writes what a run shows while it goes on: lines, losses, sheets, both generators."""

    def __init__(
        self, run: Path, config: StyleConfig, facts: dict[str, Any],
        note: Callable[[str, dict[str, Any]], None],
    ) -> None:  # fmt: skip
        self.run, self.config, self.facts, self.note = run, config, facts, note
        self.rows: list[dict[str, Any]] = []
        self.began: tuple[float, int] | None = None
        self.spoke = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, loop: Any, *rest: Any) -> None:
        """A line a minute with the time left."""
        done = trainer.current_epoch * self.config.every + rest[-1] + 1
        here = time.monotonic()
        if self.began is None:
            self.began = here, done
        elif trainer.is_global_zero and here - self.spoke >= _QUIET_SECONDS:
            self.spoke = here
            left = (here - self.began[0]) / (done - self.began[1]) * (self.config.steps - done)
            say(f"step {done} of {self.config.steps}, {duration(left)} left")

    def on_train_epoch_end(self, trainer: pl.Trainer, loop: Any) -> None:
        """The mean losses, a sheet, and the generators as they are."""
        if not trainer.is_global_zero:
            return
        step = (trainer.current_epoch + 1) * self.config.every
        figures = {name: round(value, 5) for name, value in loop.means().items()}
        self.rows.append({"step": step} | figures)
        say(f"step {step}: " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items()))
        text = io.StringIO()
        writer = csv.DictWriter(text, ["step", *_FIGURES], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomic(self.run / "metrics.csv", text.getvalue())
        save_sheet(self.run / "sheets" / f"step-{step:06d}.png", loop)
        for direction, network in ((PAINTING, loop.gan.to_painting), (PHOTO, loop.gan.to_photo)):
            file = self.run / f"{direction}.safetensors"
            save_generator(file, network, self.config, direction=direction, step=step,
                           data=self.facts)  # fmt: skip

        self.note("running", self.last)

    @property
    def last(self) -> dict[str, Any]:
        """The newest means."""
        return self.rows[-1] if self.rows else {}

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows = state["rows"]


def save_sheet(path: Path, loop: StyleLoop) -> None:
    """Held-out photos, as paintings, and back again."""
    rows = []
    shown = loop.photos.held_out[: loop.config.sheet]
    loop.gan.eval()
    with torch.inference_mode():
        for pixels in shown:
            photo = as_tensor(whole_part(fitted(pixels, loop.config.load), loop.config))
            painted = loop.gan.to_painting(photo[None].to(loop.device))
            back = loop.gan.to_photo(painted)
            rows.append([Image.fromarray(as_pixels(one)) for one in (photo, painted[0], back[0])])
    if rows:
        page = grid(rows, ["photo", "as painting", "and back"], path.stem)
        with replacing(path) as temporary:
            page.save(temporary, "PNG")


def whole_part(pixels: Array, config: StyleConfig) -> Array:
    """The middle, its sides multiples of what the network takes."""
    number = multiple(generator_shape(config))
    height, width = (min(side, 2 * config.load) // number * number for side in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]


def _fit(
    loop: StyleLoop, ledger: Ledger, run: Path, checkpoint: Path, resume: bool, devices: int
) -> pl.Trainer:
    config = loop.config
    device = choose_device(config.device)
    return drive(
        loop, checkpoint, epochs=config.steps // config.every, callbacks=[ledger],
        resume=resume,
        done=lambda: f"{len(ledger.rows) * config.every} of {config.steps} steps",
        logger=TensorBoardLogger(run, name="", version="tensorboard"),
        accelerator="gpu" if device == "cuda" else "cpu", devices=devices,
        strategy="auto" if devices == 1 else "ddp_find_unused_parameters_true",
        precision=choose_precision(config.precision, device),
    )  # fmt: skip
