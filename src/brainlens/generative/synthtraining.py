"""Owns the stage `synth train`: the training rows of a class in, a run folder with a generator out.

Only rows of `split = train` are read. Every look writes the losses, a grid of fixed seeds, the
generator and a checkpoint; the generator kept is the latest, with patience that of the best KID.
"""

from __future__ import annotations

import copy
import csv
import io
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image

from brainlens.core.allocator import keep_freed_memory
from brainlens.core.config import read_toml, to_toml
from brainlens.core.driving import drive
from brainlens.core.errors import RunError, SplitError, nearest
from brainlens.core.files import fresh_folder, replacing, write_atomic, write_json
from brainlens.core.progress import duration, say
from brainlens.core.provenance import now, provenance
from brainlens.core.seeding import generator, seed_everything
from brainlens.data.index import Index, Row, read_index, write_index
from brainlens.data.pictures import pictures
from brainlens.data.preprocess import Preprocessing
from brainlens.generative.budget import number_format
from brainlens.generative.families import FAMILIES
from brainlens.generative.generatorloop import GeneratorLoop
from brainlens.generative.generators import choose_device
from brainlens.generative.synthconfig import Settings, check_settings, settings
from brainlens.generative.synthrun import FILE, save_generator

Array = np.ndarray[Any, Any]
_FEW = 100  # pictures of a class: fewer are trained on, with a warning
_GRID = 8  # pictures a side


@dataclass(frozen=True)
class Trained:
    """What a run ended with."""

    run: Path
    steps: int
    images: int  # shown in all
    figures: dict[str, float]  # of the look whose generator is kept
    seconds: float  # of training, this time
    speed: float  # pictures a second, this time


def train(
    index_path: Path, run: Path, config: Settings, *, classes: Sequence[str] = (),
    recipe: str = "dcgan", overwrite: bool = False, resume: bool = False,
) -> Trained:  # fmt: skip
    """Train a generator; raises UserError kinds for rows, settings or a folder that do not fit."""
    checkpoint = run / "checkpoint" / "last.ckpt"
    index = read_index(index_path)
    if resume:
        config = _resumed(run, checkpoint, index)
    check_settings(config)
    keep_freed_memory()
    device = choose_device(config.device)
    labels, rows = chosen_rows(index, index_path, classes, config)
    kept = np.asarray(pictures(index, rows, Preprocessing(config.size)))
    numbers = np.array([labels.index(row.label) for row in rows], np.int64)
    seed_everything(config.seed, "init")
    loop = FAMILIES[config.network].loop(config, kept, numbers, len(labels))
    facts = {
        "recipe": recipe, "index": str(index_path.name), "index_digest": index.digest(),
        "labels": labels, "pictures": len(rows), "steps": loop.steps,
        "shown": loop.steps * config.batch_size, "size": config.size, "width": config.width,
    }  # fmt: skip
    started, clock = now(), time.monotonic()
    if not resume:
        fresh_folder(run, overwrite=overwrite, kind="generator run")
        write_atomic(run / "config.toml", to_toml(config))
        write_index(rows, index.folder, run / "index.csv")
        write_json(run / "provenance.json", provenance("generator-run", config.seed, started, 0.0)
                   | {"data": facts, "stopped": "running"})  # fmt: skip
    say(f"training {recipe} at {config.size} pixels on {len(rows)} pictures of "
        f"{', '.join(labels)}; {loop.steps} steps of {config.batch_size}; {device}")  # fmt: skip
    ledger = Ledger(run, config, labels, facts)
    early = _fit(loop, ledger, run, checkpoint, resume)
    record = provenance("generator-run", config.seed, started, time.monotonic() - clock)
    stopped = "early" if early else "steps"
    write_json(run / "provenance.json", record | {
        "data": facts, "figures": ledger.best, "stopped": stopped, "device": device,
        "precision": number_format(config.precision, device),
        "training_seconds": round(loop.seconds, 1)})  # fmt: skip
    shutil.rmtree(checkpoint.parent, ignore_errors=True)
    shown = ledger.rows[-1]["images"]
    speed = loop.shown / max(loop.seconds, 1e-9)
    return Trained(run, ledger.rows[-1]["step"], shown, ledger.best, loop.seconds, speed)


def chosen_rows(
    index: Index, path: Path, classes: Sequence[str], config: Settings
) -> tuple[list[str], list[Row]]:
    """The classes, in order, and their real training rows; refuses what cannot be learned from."""
    train_rows = [row for row in index.of("train") if row.origin == "real"]
    if not train_rows:
        raise SplitError(f"{path}: has no train images. Split it first: brainlens split {path}")
    known = sorted({row.label for row in train_rows})
    for name in classes:
        if name not in known:
            raise SplitError(f"{path}: no training image is of class {name!r}: "
                             f"{nearest(name, known)}")  # fmt: skip
    labels = sorted(set(classes) or known)
    if len(labels) > 1 and not config.conditional:
        raise SplitError(
            f"this recipe learns one class, got {len(labels)} ({', '.join(labels)}). Name one: "
            f"--class {labels[0]}, or take --recipe dcgan-da or diffusion, conditional on the class"
        )
    rows = [row for row in train_rows if row.label in labels]
    for name in labels:
        count = sum(row.label == name for row in rows)
        if count < config.batch_size:
            raise SplitError(
                f"{path}: class {name!r} has {count} training images; expected at least "
                f"{config.batch_size}, one batch: of fewer the critic learns each by heart and "
                "the generator can only copy. Add scans, or try it with a smaller batch_size"
            )
        if count < _FEW:
            say(f"class {name!r} has only {count} training images: expect copies of them; "
                "synth score finds out")  # fmt: skip
    return labels, rows


def _resumed(run: Path, checkpoint: Path, index: Index) -> Settings:
    """The settings of an unfinished run."""
    import json

    if not checkpoint.is_file():
        raise RunError(f"{run}: there is nothing to resume. Start again with --overwrite")
    record = json.loads((run / "provenance.json").read_text("utf-8"))
    if record["data"]["index_digest"] != index.digest():
        raise RunError(
            f"{run}: was begun with another state of the index. Resume with that one, or start "
            "again with --overwrite"
        )
    return settings(read_toml(run / "config.toml"))


class Ledger(pl.Callback):
    """Keeps the figures of every look, and the generator it chooses."""

    def __init__(
        self, run: Path, config: Settings, labels: Sequence[str], facts: dict[str, Any]
    ) -> None:
        self.run, self.config, self.labels, self.facts = run, config, list(labels), facts
        self.family = FAMILIES[config.network]
        self.rows: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {}
        self.early = False
        self.real: Array | None = None  # features for KID
        self.clock = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, loop: Any) -> None:
        """The KID before the first step: what it has to fall from."""
        if self.config.kid_images and not self.rows:
            network = copy.deepcopy(loop.chosen)
            self.family.settle(network)
            self.rows.append({"step": 0, "images": 0, "kid": self._kid(loop, network)})
            say(f"step 0: KID {self.rows[0]['kid']:.4f}")

    def on_train_epoch_end(self, trainer: pl.Trainer, loop: Any) -> None:
        """One look."""
        figures = loop.figures()
        network = copy.deepcopy(loop.chosen)
        self.family.settle(network)
        row: dict[str, Any] = {"step": loop.done, "images": loop.done * self.config.batch_size}
        row |= {name: round(value, 5) for name, value in figures.items()}
        if self.config.kid_images:
            row["kid"] = self._kid(loop, network)
        self.rows.append(row)
        self._say(row, loop)
        self._write(loop.figure_names)
        sheet = grid(self.family.draw(network, range(_GRID**2), self._labels()).numpy())
        write_picture(self.run / "samples" / f"step-{loop.done:06d}.png", sheet)
        if trainer.logger is not None:
            trainer.logger.log_metrics({k: v for k, v in row.items() if k != "step"}, loop.done)
            trainer.logger.experiment.add_image(  # type: ignore[attr-defined]
                "samples", sheet[None], loop.done)  # fmt: skip
        if not self.config.patience or row["kid"] <= self.best.get("kid", np.inf):
            self.best = row
            facts = self.facts | {"step": loop.done, "shown": row["images"]}
            save_generator(self.run / FILE, network, self.config, self.labels, facts)
        since = len([r for r in self.rows if r["step"] > self.best["step"]])
        if self.config.patience and since >= self.config.patience:
            self.early = trainer.should_stop = True

    def _labels(self) -> list[int]:
        """Of the grid: a class a row, in turn."""
        return [(i // _GRID) % len(self.labels) for i in range(_GRID**2)]

    def _kid(self, loop: Any, network: Any) -> float:
        from brainlens.generative.inception import inception_features
        from brainlens.metrics.fidelity import kid

        many, device = self.config.kid_images, str(loop.device)
        if self.real is None:
            chosen = generator(0, "kid").permutation(len(loop.pictures))[:many]
            self.real = inception_features(loop.pictures[np.sort(chosen)], device=device)
        kinds = [i % loop.kinds for i in range(many)]
        drawn = self.family.draw(network, range(10_000, 10_000 + many), kinds).numpy()
        return round(kid(self.real, inception_features(drawn, device=device)), 6)

    def _say(self, row: dict[str, Any], loop: Any) -> None:
        left = (time.monotonic() - self.clock) / max(len(self.rows), 1)
        looks = -(-(loop.steps - row["step"]) // self.config.every)
        kid = f", KID {row['kid']:.4f}" if "kid" in row else ""
        say(f"step {row['step']} of {loop.steps}: {loop.told(row)}{kid}; "
            f"{row['img_per_s']:.1f} img/s, about {duration(left * looks)} left")  # fmt: skip

    def _write(self, names: Sequence[str]) -> None:
        text = io.StringIO()
        columns = ("step", "images", *names, "img_per_s", "kid")
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomic(self.run / "metrics.csv", text.getvalue())

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows, self.best = state["rows"], state["best"]


def grid(drawn: Array, side: int = _GRID) -> Array:
    """(N, S, S) pictures as one sheet of `side` columns, black where none is left."""
    size = drawn.shape[1]
    count = -(-len(drawn) // side)
    sheet = np.zeros((count * side, size, size), drawn.dtype)
    sheet[: len(drawn)] = drawn
    rows = sheet.reshape(count, side, size, size).transpose(0, 2, 1, 3)
    return rows.reshape(count * size, side * size)


def write_picture(path: Path, pixels: Array) -> Path:
    """A grey PNG, whole or not at all."""
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, "PNG")
    return path


def _fit(loop: GeneratorLoop, ledger: Ledger, run: Path, checkpoint: Path, resume: bool) -> bool:
    """Run Lightning; whether it stopped before its last step."""
    config = loop.config
    drive(
        loop, checkpoint, epochs=-(-loop.steps // config.every), callbacks=[ledger],
        resume=resume,
        done=lambda: f"{ledger.rows[-1]['step'] if ledger.rows else 0} of {loop.steps} steps",
        logger=TensorBoardLogger(run, name="", version="tensorboard"),
        accelerator={"auto": "auto", "cpu": "cpu", "cuda": "gpu"}[config.device], devices=1,
        precision=number_format(config.precision, choose_device(config.device)),
    )  # fmt: skip
    return ledger.early
