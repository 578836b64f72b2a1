"""Owns the run folder: what a training run leaves behind, and its record while it goes on.

    run/ config.toml  index.csv  model.safetensors  metrics.csv  provenance.json
         checkpoints/last.ckpt (until the run has finished)  tensorboard/

`model.safetensors` is the best epoch so far at any time, so an interrupted run is usable.
"""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from brainlens.classify.config import TrainConfig
from brainlens.classify.loop import Loop
from brainlens.classify.network import Architecture, save
from brainlens.core.errors import RunError
from brainlens.core.files import write_atomic, write_json
from brainlens.core.progress import duration, say
from brainlens.core.provenance import now
from brainlens.data.preprocess import Preprocessing

COLUMNS = (
    "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_balanced_accuracy",
    "learning_rate", "seconds", "images_per_second",
)  # fmt: skip


def checkpoint_path(run: Path) -> Path:
    """Where an unfinished run's full state lies."""
    return run / "checkpoints" / "last.ckpt"


def read_provenance(run: Path) -> dict[str, Any]:
    """The record of a run; raises RunError for a folder that is none."""
    path = run / "provenance.json"
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        place = "RUN" if run.exists() else run  # what holds something else is no place for one
        raise RunError(
            f"{run}: is no run (provenance.json is missing). Make one: brainlens train INDEX "
            f"-o {place}"
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}). Train the run again") from None
    return record


class Ledger(pl.Callback):
    """Writes the epoch's row, keeps the best weights, tells the user; its state is resumed."""

    def __init__(
        self,
        run: Path,
        config: TrainConfig,
        *,
        architecture: Architecture,
        labels: list[str],
        preprocessing: Preprocessing,
        provenance: dict[str, Any],
    ) -> None:
        self.run, self.config = run, config
        self.architecture, self.labels, self.preprocessing = architecture, labels, preprocessing
        self.provenance = provenance
        self.history: list[dict[str, float]] = []
        self.best: dict[str, float] = {}
        self.before = 0.0  # seconds of an interrupted part
        self._epoch_start = self._trained = self._start = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history, "best": self.best, "seconds": self.seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history, self.best = list(state_dict["history"]), dict(state_dict["best"])
        self.before = state_dict["seconds"]

    def seconds(self) -> float:
        """Training time so far, interrupted parts included."""
        return self.before + time.monotonic() - self._start

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._epoch_start = time.monotonic()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._trained = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The epoch is over and validated."""
        assert isinstance(pl_module, Loop)
        spent = max(self._trained - self._epoch_start, 1e-9)
        row = {
            "epoch": trainer.current_epoch + 1,
            **{key: pl_module.figures[key] for key in COLUMNS if key in pl_module.figures},
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": round(time.monotonic() - self._epoch_start, 2),
            "images_per_second": round(len(pl_module.data["train"]) / spent, 2),
        }
        self.history.append(row)
        better = self._is_better(row)
        if better:
            self.best = {"epoch": row["epoch"], "value": row[self.config.monitor]}
        if trainer.is_global_zero:
            self._write(pl_module, better)
            self._tell(row, better)

    def _is_better(self, row: dict[str, float]) -> bool:
        value, sign = row[self.config.monitor], -1 if self.config.monitor == "val_loss" else 1
        return not self.best or sign * value > sign * self.best["value"]

    def _write(self, loop: Loop, better: bool) -> None:
        """Metrics always, weights when they are the best so far."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        write_atomic(self.run / "metrics.csv", text.getvalue())
        if better:
            save(
                self.run / "model.safetensors",
                loop.kept,
                architecture=self.architecture,
                labels=self.labels,
                preprocessing=self.preprocessing,
                facts={"epoch": self.best["epoch"], self.config.monitor: self.best["value"]},
            )

    def _tell(self, row: dict[str, float], better: bool) -> None:
        done, total = int(row["epoch"]), self.config.epochs
        left = self.seconds() / done * (total - done)
        say(
            f"epoch {done:>{len(str(total))}} of {total}   loss {row['train_loss']:.3f}   "
            f"val loss {row['val_loss']:.3f}   val accuracy {row['val_accuracy']:.3f}"
            f"{' *' if better else '  '}   {row['images_per_second']:.0f} img/s   "
            + (f"{duration(left)} left" if done < total else f"{duration(self.seconds())} in all")
        )

    def close(self, stopped: str, trained_parameters: int, parameters: int) -> None:
        """Write the run's record: finished, stopped early, or interrupted."""
        finished = {
            "finished": now(),
            "seconds": round(self.seconds(), 1),
            "parameters": {"total": parameters, "trained": trained_parameters},
            "best_epoch": self.best.get("epoch"),
            "best_value": self.best.get("value"),
            "monitor": self.config.monitor,
            "stopped": stopped,
        }
        self.provenance.update(finished)
        write_json(self.run / "provenance.json", self.provenance)
