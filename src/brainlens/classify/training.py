"""Owns the training stage: an index with a split in, a run folder out."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger

from brainlens.classify import machine
from brainlens.classify.batches import Pictures
from brainlens.classify.boundary import boundary
from brainlens.classify.config import TrainConfig
from brainlens.classify.context import read_second, second_opinion
from brainlens.classify.features import Features, extractor, features, too_large, views_of
from brainlens.classify.loop import Data, Loop
from brainlens.classify.network import Classifier, Network, build
from brainlens.classify.optimisation import frozen_layers
from brainlens.classify.outlined import outlined_data
from brainlens.classify.plan import dense, first_weights, outlined, plan
from brainlens.classify.run import Ledger, checkpoint_path, read_provenance
from brainlens.core.allocator import keep_freed_memory
from brainlens.core.config import read_toml, resolve, to_toml
from brainlens.core.driving import InterruptedRunError, drive
from brainlens.core.errors import RunError, SplitError
from brainlens.core.files import fresh_folder, write_atomic, write_json
from brainlens.core.processors import choose_precision
from brainlens.core.progress import say
from brainlens.core.provenance import now, provenance
from brainlens.core.seeding import seed_everything
from brainlens.data.crosscheck import groups_certificate
from brainlens.data.index import Index, Row, counts, read_index, write_index
from brainlens.data.pictures import pictures
from brainlens.data.preprocess import Preprocessing
from brainlens.data.split import check_sides, read_record
from brainlens.data.synthetic import with_extra


@dataclass(frozen=True)
class Trained:
    """What a training run ended with."""

    run: Path
    best_epoch: int
    monitor: str
    best_value: float
    seconds: float


def train(
    index_path: Path,
    run: Path,
    config: TrainConfig,
    *,
    overwrite: bool = False,
    resume: bool = False,
    devices: int = 1,
    cached: bool = True,
    extra: Path | None = None,
) -> Trained:
    """Train a classifier on the index's `train` rows, choosing the epoch on its `val` rows.

    `extra` is an index of synthetic images (`synth sample`) that train beside the real ones.
    Where part of the network rests and pictures do not change from epoch to epoch, that part is
    computed once and kept; `cached=False` computes it every epoch, to the same end.
    Raises UserError kinds for an index without splits, weights out of reach, a used folder.
    """
    first = int(os.environ.get("LOCAL_RANK", "0")) == 0  # Lightning starts the other processes
    index = read_index(index_path)
    split_record = read_record(index, index_path)
    if extra is not None:
        index = with_extra(index, index_path, extra)
    if resume:
        config = _resumed_config(run, index)
    elif first and not overwrite:
        _refuse_unfinished(run)
    rows = {split: _learnt(index.of(split), split, config) for split in ("train", "val")}
    labels = check_rows(rows, index_path, partial=config.partial)
    keep_freed_memory()
    seed_everything(config.seed, "init")
    architecture, preprocessing = plan(config, labels)
    network = build(architecture, len(labels))  # first: what is loaded after it draws weights too
    source = first_weights(config, network, labels)
    second = []
    if dense(config):
        _check_weighable(rows["val"], config.background, index_path)
        second = [
            read_second(Path(other), labels, preprocessing, rows["val"]) for other in config.second
        ]
    device = machine.choose_device(config.device)
    config_used = dataclasses.replace(config, precision=choose_precision(config.precision, device))
    facts = {
        **provenance("run", config.seed, now(), 0.0),
        "machine": machine.describe(device, config_used.precision) | {"devices": devices},
        "index": {
            "path": str(index_path),
            "digest": index.digest(),
            "images": {split: sum(n.values()) for split, n in counts(index.rows).items()},
            "labels": labels,
            "synthetic": _synthetic(rows["train"]),
        },
        "split": split_record,
        "certificate": groups_certificate(rows["val"], rows["train"]),
        "weights": source,
    }
    if first and not resume:
        fresh_folder(run, overwrite=overwrite, kind="run")
        write_atomic(run / "config.toml", to_toml(config))
        write_index(index.rows, index.folder, run / "index.csv")
        write_json(run / "provenance.json", facts | {"stopped": "running"})
    data, cut = _data(network, config_used, preprocessing, index, rows, labels, device,
                      cached=cached and devices == 1)  # fmt: skip
    loop = Loop(network, config_used, preprocessing, data, cut=cut)
    ledger = Ledger(
        run, config, architecture=architecture, labels=labels, preprocessing=preprocessing,
        provenance=facts,
    )  # fmt: skip
    if first:
        _announce(config_used, rows, source, device)
    _fit(loop, ledger, run, device, devices, resume)
    if first and config.head == "dense":
        numbers = {split: class_numbers(part, labels) for split, part in rows.items()}
        ledger.provenance["context"] = second_opinion(run, index, rows, numbers, config, second)
        write_json(run / "provenance.json", ledger.provenance)
    return Trained(
        run, int(ledger.best["epoch"]), config.monitor, ledger.best["value"], ledger.seconds()
    )


def _data(
    network: Network, config: TrainConfig, preprocessing: Preprocessing, index: Index,
    rows: dict[str, list[Row]], labels: list[str], device: str, *, cached: bool,
) -> tuple[Mapping[str, Data], int]:  # fmt: skip
    """What the loop learns from, and how many of the network's steps it has behind it."""
    classes = {split: class_numbers(part, labels) for split, part in rows.items()}
    if outlined(config):
        return outlined_data(
            index, rows, classes, preprocessing, config.outlines,
            background=labels.index(config.background), painted=config.painted, seed=config.seed,
        ), 0  # fmt: skip
    assert isinstance(network, Classifier)  # a dense head is outlined
    cut = boundary(network, config, frozen_layers(network, config)) if cached else 0
    views = views_of(config)
    images = len(rows["train"]) * len(views) + len(rows["val"])
    if not cut or too_large(network, cut, preprocessing.size, images):
        return {
            split: Pictures(pictures(index, part, preprocessing), classes[split])
            for split, part in rows.items()
        }, 0
    source = extractor(network, cut, preprocessing, config, device=device)
    train = [
        features(source, index, rows["train"], policy=config.augment, view=view) for view in views
    ]
    val = features(source, index, rows["val"])
    return {"train": Features(train, classes["train"]), "val": Features([val], classes["val"])}, cut


def _learnt(rows: list[Row], split: str, config: TrainConfig) -> list[Row]:
    """Without rows of which only a part of the class is known, but where training uses that."""
    if split == "train" and outlined(config):
        return rows
    return [row for row in rows if row.label != (config.partial or None)]


def _synthetic(rows: list[Row]) -> dict[str, int]:
    """Synthetic training images by the generator that made them."""
    return dict(Counter(row.origin for row in rows if row.origin != "real"))


def _resumed_config(run: Path, index: Index) -> TrainConfig:
    """The settings of an unfinished run; raises RunError where there is nothing to go on with."""
    record = read_provenance(run)
    if not checkpoint_path(run).is_file():
        state = "has finished" if record.get("best_epoch") else "saved no epoch yet"
        raise RunError(f"{run}: {state}, so there is nothing to resume. Use --overwrite")
    if record["index"]["digest"] != index.digest():
        raise RunError(
            f"{run}: was trained on another state of the index. Resume with the index it began "
            "with, or start again with --overwrite"
        )
    return resolve(TrainConfig, read_toml(run / "config.toml"))


def _refuse_unfinished(run: Path) -> None:
    """Refuse to begin where a run was killed, naming the way to go on, before anything loads."""
    if checkpoint_path(run).is_file():
        raise RunError(
            f"{run}: holds a run that was not finished. Give --resume to go on with it, or "
            "--overwrite to begin again"
        )


def check_rows(rows: dict[str, list[Row]], index_path: Path, partial: str = "") -> list[str]:
    """The labels to learn, in order; refuses an index that cannot be trained on."""
    check_sides(rows, index_path)
    labels = sorted({row.label for row in rows["train"]} - {partial})
    if len(labels) < 2:
        raise SplitError(f"{index_path}: trains on one class only ({labels[0]}); expected two")
    strange = {row.label for row in rows["val"]} - set(labels)
    if strange:
        raise SplitError(f"{index_path}: class {min(strange)!r} is in val but not in train")
    return labels


def _check_weighable(rows: list[Row], background: str, index_path: Path) -> None:
    """A dense head's two opinions are weighed on validation: it takes healthy and other images."""
    healthy = sum(row.label == background for row in rows)
    if not 0 < healthy < len(rows):
        missing = f"no {background!r} images" if not healthy else f"only {background!r} images"
        raise SplitError(
            f"{index_path}: val has {missing}; a dense head is weighed on both. Split again with a "
            "larger --val"
        )


def class_numbers(rows: list[Row], labels: list[str]) -> np.ndarray:
    """Each row's class as its label's place in `labels`; -1 for a label that is only a part."""
    number = {label: i for i, label in enumerate(labels)}
    return np.array([number.get(row.label, -1) for row in rows], dtype=np.int64)


def _announce(config: TrainConfig, rows: dict[str, list[Row]], source: str, device: str) -> None:
    say(
        f"training {config.backbone} ({source} weights) on {len(rows['train'])} images, "
        f"validating on {len(rows['val'])}; {device}, {config.precision}; * marks the best epoch"
    )


def _fit(loop: Loop, ledger: Ledger, run: Path, device: str, devices: int, resume: bool) -> None:
    """Run Lightning, and write the run's record however it ends."""
    config = ledger.config
    callbacks: list[pl.Callback] = [ledger]
    if config.patience:
        mode = "min" if config.monitor == "val_loss" else "max"
        callbacks.append(EarlyStopping(config.monitor, patience=config.patience, mode=mode))
    parameters = sum(p.numel() for p in loop.network.parameters())
    trained = sum(p.numel() for p in loop.network.parameters() if p.requires_grad)
    checkpoint = checkpoint_path(run)
    try:
        trainer = drive(
            loop, checkpoint, epochs=config.epochs, callbacks=callbacks, resume=resume,
            done=lambda: f"{len(ledger.history)} of {config.epochs} epochs",
            logger=TensorBoardLogger(run, name="", version="tensorboard"),
            accelerator="gpu" if device == "cuda" else "cpu", devices=devices,
            strategy=_strategy(config, devices), precision=loop.config.precision,
        )  # fmt: skip
    except InterruptedRunError as stop:
        ledger.close("interrupted", trained, parameters)
        usable = f"; {run} is usable as it is" if ledger.history else ""
        raise InterruptedRunError(f"{stop}{usable}") from None
    if trainer.is_global_zero:
        early = len(ledger.history) < config.epochs
        ledger.close("early" if early else "epochs", trained, parameters)
        shutil.rmtree(checkpoint.parent, ignore_errors=True)


def _strategy(config: TrainConfig, devices: int) -> str:
    """How processes share the work; in two-phase some parameters have no gradient at first."""
    if devices == 1:
        return "auto"
    return "ddp_find_unused_parameters_true" if config.tune == "two-phase" else "ddp"
