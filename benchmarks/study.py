"""A study on cached features: against one pass of the backbone, and against the same rows without.

Times are CPU seconds of this process, which neighbours on the machine do not lengthen.
One feature pass is every image of the index once through the frozen backbone, decoding left out.
The rows without the cache are timed on a part (one epoch of one row) and multiplied, since all of
them would take a day; the row says so.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.training import write_pictures
from brainlens.classify.boundary import steps
from brainlens.classify.config import TrainConfig
from brainlens.classify.features import extractor, forward
from brainlens.classify.network import Classifier
from brainlens.classify.plan import plan
from brainlens.classify.training import train
from brainlens.core.places import cache_folder, shared_folder
from brainlens.data.index import Index, read_index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.labels import parse_map
from brainlens.data.pictures import pictures
from brainlens.data.split import split_rows, write_record
from brainlens.study.design import Design, read_design
from brainlens.study.runner import run_study


def measure(quick: bool) -> list[dict[str, Any]]:
    """CPU seconds of studies, of a feature pass, and of the same rows without the cache."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        index_path = _noise(place) if quick else _scans(place)
        design = _design("a-taguchi-l9", quick)
        factorial = _design("a-taguchi-factorial", quick)
        one_pass = _feature_pass(design, read_index(index_path))
        l9 = _timed(design, index_path, place / "l9")
        shutil.rmtree(cache_folder() / "features")
        full = _timed(factorial, index_path, place / "full")
        plain = _uncached(design, index_path, place / "plain")
    return [
        _row(f"L9 x 2 arms x {design.config.replicates} seeds, features included, against a pass",
             l9, one_pass, "ratio <= 2"),
        _row(f"81 rows x {factorial.config.replicates} seeds, features included, against a pass",
             full, one_pass, "ratio <= 4"),
        _row("L9 x 2 arms, against the same rows without the cache (one epoch x all epochs)",
             l9, plain, "below 0.1"),
    ]  # fmt: skip


def _row(what: str, ours: float, baseline: float, wanted: str) -> dict[str, Any]:
    return {
        "what": what, "ours": ours, "baseline": baseline, "unit": "CPU s",
        "ratio": ours / baseline, "wanted": wanted,
    }  # fmt: skip


def _design(name: str, quick: bool) -> Design:
    design = read_design(name, replicates=1 if quick else None)
    if not quick:
        return design
    small = {"size": 64, "epochs": 2, "weights": "none"}
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


def _feature_pass(design: Design, index: Index) -> float:
    """CPU seconds of every image once through the backbone; its pictures decoded before."""
    config = design.run(design.levels(0), "plain", 0)
    architecture, preprocessing = plan(config)
    network = Classifier(architecture, len(index.labels))
    source = extractor(
        network, len(steps(network)), preprocessing,
        dataclasses.replace(config, precision="32-true"), device="cpu",
    )  # fmt: skip
    for split in ("train", "val", "test"):
        pictures(index, index.of(split), preprocessing)
    start = time.process_time()
    for split in ("train", "val", "test"):
        kept = pictures(index, index.of(split), preprocessing)
        for _ in forward(source, kept, "none", None):
            pass
    return time.process_time() - start


def _timed(design: Design, index_path: Path, out: Path) -> float:
    """CPU seconds of a whole study, from an empty feature cache to its confirmation."""
    start = time.process_time()
    run_study(design, index_path, out)
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
