"""Owns the runs of a study: settings in, outcomes out; heads on cached features train together.

A run whose backbone rests and whose pictures do not change from epoch to epoch is a head on
features; any other is a run of `train` in a folder of its own, which a later try goes on with.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainlens.classify import machine
from brainlens.classify.augment import POLICIES
from brainlens.classify.backbones import load_pretrained
from brainlens.classify.boundary import steps
from brainlens.classify.config import TrainConfig
from brainlens.classify.features import Extractor, extractor, features, views_of
from brainlens.classify.heads import Head, apply_head, train_block
from brainlens.classify.inference import probabilities
from brainlens.classify.jobs import Job, Material, blocks
from brainlens.classify.network import Classifier, Network, load
from brainlens.classify.plan import plan, pretrained
from brainlens.classify.run import checkpoint_path, read_provenance
from brainlens.classify.training import class_numbers, train
from brainlens.core.config import to_toml
from brainlens.core.errors import BrainlensError, RunError
from brainlens.core.seeding import seed_everything
from brainlens.data.index import Index, Row
from brainlens.data.pictures import pictures
from brainlens.data.preprocess import Array


@dataclass(frozen=True)
class Trial:
    """One run of a study."""

    row: int  # -1: the confirmation
    arm: str
    config: TrainConfig

    @property
    def place(self) -> str:
        """What its run folder is called after."""
        return f"row{self.row + 1:02d}" if self.row >= 0 else "confirmation"


@dataclass(frozen=True)
class Outcome:
    """What a run came to: the response at its best epoch, and what it left."""

    value: float
    best_epoch: int
    head: Head | None = None
    run: str = ""  # a run folder


@dataclass(frozen=True)
class Unit:
    """Trials that are done together; `jobs` where they are heads, else one run of `train`."""

    trials: tuple[Trial, ...]
    jobs: tuple[Job, ...] = ()
    index: str = ""
    run: str = ""


class Bench:
    """An index, and the features of every network that a study's heads stand on; final."""

    def __init__(
        self, index_path: Path, index: Index, labels: list[str], runs: Path, *, spread: bool = False
    ) -> None:
        self.index_path, self.index, self.labels, self.runs = index_path, index, labels, runs
        self.spread = spread  # over workers, which then need enough units
        self.materials: dict[str, Material] = {}
        self.sources: dict[str, Extractor] = {}
        self.weights: dict[str, str] = {}  # where they came from, by backbone

    def units(
        self, trials: Sequence[Trial], failed: Callable[[Trial, Exception], None]
    ) -> list[Unit]:
        """The trials in units; what cannot even begin goes to `failed`."""
        heads, units, broken = [], [], set[int]()
        for trial in trials:
            if trial.row in broken:
                continue
            try:
                if on_features(trial.config):
                    heads.append((trial, self.job(trial.config)))
                else:
                    run = self.runs / f"{trial.place}-{trial.arm}-seed{trial.config.seed}"
                    units.append(Unit((trial,), (), str(self.index_path), str(run)))
            except (BrainlensError, RuntimeError, MemoryError) as error:
                broken.add(trial.row)
                failed(trial, error)
        heads = [pair for pair in heads if pair[0].row not in broken]
        groups = blocks([job for _, job in heads], spread=self.spread)
        together = [
            Unit(tuple(heads[n][0] for n in group), tuple(heads[n][1] for n in group))
            for group in groups
        ]
        return together + [unit for unit in units if unit.trials[0].row not in broken]

    def job(self, config: TrainConfig) -> Job:
        """A head to train, its features at hand."""
        architecture, _ = plan(config)
        source = self._source(config)
        views = views_of(config)
        name = f"{_network(config)} {config.augment} {len(views) if views != [None] else 0}"
        if name not in self.materials:
            rows = {split: self.index.of(split) for split in ("train", "val")}
            self.materials[name] = Material(
                tuple(
                    _flat(
                        features(source, self.index, rows["train"], policy=config.augment, view=v)
                    )
                    for v in views
                ),
                class_numbers(rows["train"], self.labels),
                _flat(features(source, self.index, rows["val"])),
                class_numbers(rows["val"], self.labels),
            )
        return Job(config, architecture, name)

    def table(self, trial: Trial, outcome: Outcome, rows: Sequence[Row]) -> Array:
        """(N, K) probabilities that a trial's model gives these rows."""
        if outcome.head is None:
            model = load(Path(outcome.run) / "model.safetensors")
            kept = pictures(self.index, rows, model.preprocessing)
            return probabilities(model, kept, device=trial.config.device)
        kept = features(self._source(trial.config), self.index, rows)
        return apply_head(outcome.head, plan(trial.config)[0], _flat(kept))

    def classifier(self, trial: Trial, outcome: Outcome) -> Network:
        """The whole network of a trial."""
        if outcome.head is None:
            return load(Path(outcome.run) / "model.safetensors").network
        network = Classifier(plan(trial.config)[0], len(self.labels))
        network.backbone.load_state_dict(self._source(trial.config).network.backbone.state_dict())
        network.head.load_state_dict(outcome.head.weights)
        return network

    def digests(self) -> dict[str, str]:
        """The weights that features were made with, by network."""
        return {name: source.weights for name, source in sorted(self.sources.items())}

    def _source(self, config: TrainConfig) -> Extractor:
        name = _network(config)
        if name not in self.sources:
            architecture, preprocessing = plan(config)
            seed_everything(config.seed, "init")
            network = Classifier(architecture, len(self.labels))
            self.weights[config.backbone] = (
                load_pretrained(config.backbone, network.backbone) if pretrained(config) else "none"
            )
            device = machine.choose_device(config.device)
            precision = "32-true" if config.precision == "auto" else config.precision
            self.sources[name] = extractor(
                network, len(steps(network)), preprocessing,
                dataclasses.replace(config, precision=precision), device=device,
            )  # fmt: skip
        return self.sources[name]


def on_features(config: TrainConfig) -> bool:
    """Whether a run is the training of a head on features that never change."""
    return config.tune == "head" and (POLICIES[config.augment] is None or config.views > 0)


def _network(config: TrainConfig) -> str:
    """A name for everything that decides the features of a picture."""
    names = ["backbone", "weights", "pool", "size", "fit", "crop", "precision", "device"]
    names += [] if pretrained(config) else ["seed"]
    return " ".join(str(getattr(config, name)) for name in names)


def _flat(values: Array) -> Array:
    """(N, D) in memory."""
    return np.array(values).reshape(len(values), -1)


def run_unit(
    unit: Unit, materials: Mapping[str, Material], classes: int, unfinished: Path | None = None
) -> list[Outcome]:
    """Do a unit's trials; the same in this process and on another machine.

    Heads are kept in the folder `unfinished` while they train, and taken up again from there.
    """
    if unit.jobs:
        heads = train_block(unit.jobs, materials, classes, unfinished)
        outcomes = [Outcome(head.best_value, head.best_epoch, head) for head in heads]
    else:
        outcomes = [_run_alone(unit)]
    for trial, outcome in zip(unit.trials, outcomes, strict=True):
        if not math.isfinite(outcome.value):
            raise RunError(
                f"{trial.arm}, seed {trial.config.seed}: training diverged (the response is no "
                "number). Lower the learning rate"
            )
    return outcomes


def _run_alone(unit: Unit) -> Outcome:
    """A whole run of `train`, taken up where an earlier try left it."""
    run, config = Path(unit.run), unit.trials[0].config
    # The record is written last of what begins a run: what was killed before it is begun anew.
    begun = (run / "provenance.json").is_file()
    same = begun and (run / "config.toml").read_text() == to_toml(config)
    record = read_provenance(run) if same else {}
    if record.get("stopped") in ("epochs", "early"):
        return Outcome(float(record["best_value"]), int(record["best_epoch"]), run=unit.run)
    again = same and checkpoint_path(run).is_file()
    done = train(Path(unit.index), run, config, resume=again, overwrite=not again)
    return Outcome(done.best_value, done.best_epoch, run=unit.run)
