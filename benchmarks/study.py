"""A study on cached features: against one pass of the backbone, and against the same rows without.

Times are CPU seconds of this process, which neighbours on the machine lengthen least. One feature
pass is every image of the index once through the frozen backbone. Nothing is run whole: pictures
cost alike and so do epochs, so a part of each is timed and multiplied; reading files and decoding,
which both sides need, are left out of both.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from benchmarks.training import write_pictures
from brainlens.classify.boundary import steps
from brainlens.classify.config import TrainConfig
from brainlens.classify.features import extractor, forward
from brainlens.classify.heads import train_block
from brainlens.classify.jobs import Job, Material, blocks
from brainlens.classify.network import Classifier
from brainlens.classify.plan import plan
from brainlens.classify.training import train
from brainlens.core.places import shared_folder
from brainlens.data.index import Index, read_index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.labels import parse_map
from brainlens.data.pictures import pictures
from brainlens.data.split import split_rows, write_record
from brainlens.study.design import Design, read_design

# Pictures that are timed, and multiplied; the light backbone is the hard case: heads cost the same.
BACKBONES = {"efficientnet_lite0": 128, "inception_v3": 32, "vgg16": 16}


def measure(quick: bool) -> list[dict[str, Any]]:
    """CPU seconds of studies, of a feature pass, and of the same rows without the cache."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        index_path = _noise(place) if quick else _scans(place)
        return [
            row
            for name, part in BACKBONES.items()
            for row in _of_backbone(name, index_path, 12 if quick else part, quick)
        ]


def _of_backbone(name: str, index_path: Path, part: int, quick: bool) -> list[dict[str, Any]]:
    """The rows of one backbone; without the cache the light one alone is timed."""
    index = read_index(index_path)
    few_path, share = _part(index, index_path, part)
    few = read_index(few_path)
    l9 = _on(name, _design("a-taguchi-l9", quick))
    full = _on(name, _design("a-taguchi-factorial", quick))
    one_pass = share * _pass(l9, few, "plain", None, ("train", "val", "test"))
    augmented = share * _pass(l9, few, "augmented", 0, ("train",))
    sizes = {split: len(index.of(split)) for split in ("train", "val")}
    heads = {design.name: _heads(design, sizes) for design in (l9, full)}
    small, large = one_pass + augmented + heads[l9.name], one_pass + heads[full.name]
    seeds = f"x {l9.config.replicates} seeds on {name}"
    rows = [
        _row(f"L9 x 2 arms {seeds}, features included, against a pass", small, one_pass,
             "ratio <= 2")
        | {"parts": {"pass": one_pass, "augmented view": augmented, "heads": heads[l9.name]}},
        _row(f"81 rows {seeds}, features included, against a pass", large, one_pass, "ratio <= 4")
        | {"parts": {"pass": one_pass, "heads": heads[full.name]}},
    ]  # fmt: skip
    if name == next(iter(BACKBONES)):
        plain = share * _uncached(l9, few_path, index_path.parent / "plain")
        rows.append(_row(f"L9 x 2 arms {seeds}, against the same rows without the cache",
                         small, plain, "below 0.1"))  # fmt: skip
    return rows


def _on(name: str, design: Design) -> Design:
    """A design on another backbone, its features pooled."""
    own = {"backbone": name, "pool": "average"}
    return dataclasses.replace(design, settings=design.settings | own)


def _row(what: str, ours: float, baseline: float, wanted: str) -> dict[str, Any]:
    return {
        "what": what, "ours": ours, "baseline": baseline, "unit": "CPU s",
        "ratio": ours / baseline, "wanted": wanted,
    }  # fmt: skip


def _design(name: str, quick: bool) -> Design:
    design = read_design(name, replicates=1 if quick else None)
    if not quick:
        return design
    small = {"size": 96, "epochs": 2, "weights": "none"}  # Inception takes no less than 75
    return dataclasses.replace(design, settings=design.settings | small)


def _noise(place: Path) -> Path:
    """A few pictures, split with a test side."""
    index_path = write_pictures(place / "pictures", 24)
    index = read_index(index_path)
    rows, record = split_rows(index.rows, protocol="random", test=0.25, val=0.25)
    write_index(rows, index.folder, index_path)
    write_record(record, index_path)
    return index_path


def _scans(place: Path) -> Path:
    """The shared scans, grouped."""
    shared = shared_folder()
    assert shared, "needs the shared scans: set BRAINLENS_SHARED"
    source = shared / "data" / "mri"
    found = index_folders([source], label_map=parse_map("types"), manifest=source / "manifest.csv")
    rows, record = split_rows(found.rows, protocol="grouped")
    write_index(rows, Path("/"), place / "index.csv")
    write_record(record, place / "index.csv")
    return place / "index.csv"


def _part(index: Index, path: Path, count: int) -> tuple[Path, float]:
    """An index of every so many rows of each split, and how many times it the whole is."""
    every = max(1, len(index.rows) // count)
    rows = [
        row for split in ("train", "val", "test") for row in index.of(split)[:: every]
    ]  # fmt: skip
    few = path.with_name("few.csv")
    write_index(rows, index.folder, few)
    return few, len(index.rows) / len(rows)


def _pass(design: Design, index: Index, arm: str, view: int | None, splits: Iterable[str]) -> float:
    """CPU seconds of these splits once through the backbone; their pictures decoded before."""
    config = design.run(design.levels(0), arm, 0)
    architecture, preprocessing = plan(config)
    network = Classifier(architecture, len(index.labels))
    source = extractor(
        network, len(steps(network)), preprocessing,
        dataclasses.replace(config, precision="32-true"), device="cpu",
    )  # fmt: skip
    kept = [pictures(index, index.of(split), preprocessing) for split in splits]
    start = time.process_time()
    for images in kept:
        for _ in forward(source, images, config.augment, view):
            pass
    return time.process_time() - start


def _heads(design: Design, sizes: dict[str, int]) -> float:
    """CPU seconds of all heads of a study and of its confirmation, from their first two epochs.

    On random features of the true number and length: what a step costs does not hang on values.
    """
    generator = np.random.default_rng(0)
    head = Classifier(plan(design.run(design.levels(0), "plain", 0))[0], 4).head
    width = next(layer.in_features for layer in head.modules() if isinstance(layer, nn.Linear))
    learned, judged = (generator.random((n, width), np.float32) for n in sizes.values())
    classes, judged_classes = (generator.integers(0, 4, n) for n in sizes.values())
    material = Material((learned,), classes, judged, judged_classes)
    seeds = range(design.config.replicates)
    rows = [*range(len(design.matrix)), 0]  # the last: the confirmation
    configs = [
        (design.run(design.levels(row), arm, seed + 100 * (n == len(rows) - 1)), arm)
        for n, row in enumerate(rows) for arm in design.arms for seed in seeds
    ]  # fmt: skip
    jobs = [Job(config, plan(config)[0], arm) for config, arm in configs]
    materials = {arm: material for arm in design.arms}
    total = 0.0
    for number, block in enumerate(blocks(jobs)):
        own = [jobs[n] for n in block]
        first = _spent(own, materials, 1)
        one = first if number else _spent(own, materials, 1)  # first weights are drawn once
        total += first + (own[0].config.epochs - 1) * (_spent(own, materials, 2) - one)
    return total


def _spent(jobs: list[Job], materials: dict[str, Material], epochs: int) -> float:
    """CPU seconds of these heads over so many epochs."""
    own = [
        dataclasses.replace(job, config=dataclasses.replace(job.config, epochs=epochs))
        for job in jobs
    ]
    start = time.process_time()
    train_block(own, materials, 4)
    return time.process_time() - start


def _uncached(design: Design, index_path: Path, out: Path) -> float:
    """Seconds that all rows would take by `train`, the backbone run each epoch; from one epoch."""
    total = 0.0
    for arm in design.arms:
        config: TrainConfig = design.run(design.levels(0), arm, 0)
        start = time.process_time()
        train(index_path, out / arm, dataclasses.replace(config, epochs=1), cached=False)
        rows = len(design.matrix) * design.config.replicates
        total += (time.process_time() - start) * rows * config.epochs
    return total
