"""Owns the demonstration: the whole road once, on the embedded synthetic sample."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from brainlens.classify.config import TrainConfig
from brainlens.classify.evaluation import evaluate
from brainlens.classify.predictor import Predictor
from brainlens.classify.training import train
from brainlens.core.config import resolve
from brainlens.core.files import fresh_folder
from brainlens.core.progress import duration, say
from brainlens.data.audit_file import audit_file
from brainlens.data.index import read_index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.sample import copy_to
from brainlens.data.split import split_rows, write_record
from brainlens.recipes import read_recipe
from brainlens.report import tables
from brainlens.report.answered import predictions_as
from brainlens.report.page import write_report


def run_demo(folder: Path, *, epochs: int = 0, overwrite: bool = False) -> str:
    """Index, audit, split, train, evaluate, report and predict; answers what to do next.

    0 epochs: as many as the recipe says.
    """
    start = time.monotonic()
    fresh_folder(folder, overwrite=overwrite, kind="demo")
    listed, audited, run, judged, page = (
        folder / name for name in ("index.csv", "audit", "run", "eval", "report.html")
    )
    index_path = audited / "index.csv"
    steps: list[tuple[str, Callable[[], str]]] = [
        ("index the embedded sample (synthetic: drawn, not scanned)",
         lambda: _index(folder / "sample", listed)),
        ("audit: copies, twins, wrong labels, unfit pictures",
         lambda: tables.audit_summary(audit_file(listed, audited))),
        ("split so that no patient, twin or copy is on two sides", lambda: _split(index_path)),
        ("train a small CNN from scratch", lambda: _train(index_path, run, epochs)),
        ("evaluate on the test side, with intervals", lambda: _evaluate(run, index_path, judged)),
        ("report", lambda: f"wrote {write_report([judged, run, audited], page)}"),
        ("predict one test image", lambda: _predict(run, index_path)),
    ]  # fmt: skip
    for number, (what, step) in enumerate(steps, start=1):
        say(f"\n[{number}/{len(steps)}] {what}")
        say(step())
    return (
        f"\nThe demo took {duration(time.monotonic() - start)}. Its figures are of synthetic "
        f"pictures and mean nothing for patients.\nOpen the report:  {page}\n"
        "Try your own folder, one sub-folder a class:\n"
        "  brainlens index FOLDER -o index.csv\n"
        "  brainlens audit index.csv -o audit"
    )


def _index(sample: Path, index_path: Path) -> str:
    folder = copy_to(sample)
    found = index_folders([folder], label_map={}, manifest=folder / "manifest.csv")
    write_index(found.rows, Path("/"), index_path)
    return tables.index_summary(found)


def _split(index_path: Path) -> str:
    index = read_index(index_path)
    rows, record = split_rows(index.rows, protocol="grouped", test=0.2, val=0.2, seed=0)
    write_index(rows, index.folder, index_path)
    write_record(record, index_path)
    return tables.split_summary(record)


def _train(index_path: Path, run: Path, epochs: int) -> str:
    settings = read_recipe("demo") | ({"epochs": epochs} if epochs else {})
    done = train(index_path, run, resolve(TrainConfig, settings))
    return f"best epoch {done.best_epoch}: {done.monitor} {done.best_value:.3f}"


def _evaluate(run: Path, index_path: Path, out: Path) -> str:
    return tables.evaluation_summary(evaluate(run, index_path, out))


def _predict(run: Path, index_path: Path) -> str:
    index = read_index(index_path)
    image = Path(os.path.relpath(index.file(index.of("test")[0]).resolve()))
    answers, _ = Predictor(run).classify([image])
    return predictions_as("table", answers)
