"""Owns one arm of a reproduction: a plan carried out, train then evaluate, by the usual stages.

Enters: a plan and settings. Leaves: a folder with `train.csv`, `run/`, and for each judged set
`test.csv` and `eval/`, which every other command reads; and the evaluations as plain data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainlens.classify.config import TrainConfig
from brainlens.classify.evaluation import evaluate
from brainlens.classify.run import checkpoint_path, read_provenance
from brainlens.classify.training import train
from brainlens.data.index import Index, Row, counts, write_index
from brainlens.data.split import SplitRecord, write_record
from brainlens.reproduce.protocols import CLEAN, Plan, Protocol
from brainlens.reproduce.separation import separated

Document = dict[str, Any]


@dataclass(frozen=True)
class Arm:
    """A column's name and how its images are divided."""

    name: str  # of the folder: seed, clean, or TRAIN-TEST
    title: str  # of the column
    protocol: Protocol


def run_arm(
    arm: Arm, plan: Plan, folder: Path, config: TrainConfig, *, degrade: bool, resume: bool = False
) -> list[Document]:
    """Train once and judge each of the plan's sets; the evaluations with the arm's own facts.

    A protocol that should not leak is judged as strictly as any user's: a leak is an error.
    `resume` keeps a run that has finished and goes on with one that has not.
    """
    if not arm.protocol.leaks or CLEAN in plan.judged:
        plan = separated(plan)
    learned = _write(plan.learned, folder / "train.csv", arm.protocol.words, plan.note)
    seconds = _trained(learned, folder / "run", config, resume=resume)
    columns = []
    for name, rows in plan.judged.items():
        mark = f"-{name.replace(' ', '-')}" if name else ""
        judged = _write(rows, folder / f"test{mark}.csv", arm.protocol.words, plan.note)
        found = evaluate(
            folder / "run", judged, folder / f"eval{mark}", allow_leaks=arm.protocol.leaks,
            degrade=degrade, overwrite=resume,
        )  # fmt: skip
        columns.append(
            {
                "arm": arm.name,
                "title": f"{arm.title}: {name}" if name else arm.title,
                "protocol": arm.protocol.words,
                "note": plan.note,
                "leaks": arm.protocol.leaks,
                "folder": arm.name,
                "evaluation": f"{arm.name}/eval{mark}",
                "learned": {split: sum(n.values()) for split, n in counts(plan.learned).items()},
                "training_seconds": round(seconds, 1),
                "result": found,
            }
        )
    return columns


def _trained(learned: Path, run: Path, config: TrainConfig, *, resume: bool) -> float:
    """Train, or what is left of it; answers the seconds it took in all."""
    unfinished = checkpoint_path(run).is_file()
    if resume and not unfinished and (run / "provenance.json").is_file():
        record = read_provenance(run)
        if record.get("best_epoch"):
            return float(record["seconds"])
    return train(learned, run, config, resume=resume and unfinished, overwrite=resume).seconds


def _write(rows: Sequence[Row], path: Path, words: str, note: str) -> Path:
    """An index of its own for each side: a leaking protocol may hold one image on two."""
    write_index(rows, Path("/"), path)
    groups = {split: len({r.group for r in rows if r.split == split}) for split in counts(rows)}
    record = SplitRecord(
        protocol=words, seed=0, test=0.0, val=0.0, note=note, counts=counts(rows), groups=groups,
        index_digest=Index(tuple(rows), Path("/")).digest(),
    )  # fmt: skip
    write_record(record, path)
    return path
