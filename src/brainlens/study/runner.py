"""Owns the study stage: a design and an index with a split in, `study.json` out.

    STUDY/ study.json  confirmation.csv  best.safetensors  index.csv  runs/ (where whole networks
    train)  unfinished/ (heads in training, until they are done)

Every finished row is saved at once and heads in training every few seconds, so that a killed study
goes on with `resume`. A row that fails is reported and the others go on. The choice is made on
validation alone.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.classify import machine
from brainlens.classify.training import check_rows
from brainlens.core.driving import InterruptedRunError
from brainlens.core.errors import LeakError, OutputError, RunError
from brainlens.core.files import fresh_folder, write_json
from brainlens.core.progress import duration, say
from brainlens.core.provenance import now, provenance
from brainlens.data.crosscheck import crosscheck
from brainlens.data.index import Index, counts, read_index, write_index
from brainlens.data.leakage import leaks_between
from brainlens.data.split import read_record
from brainlens.study import conclusion, record
from brainlens.study.bench import Bench, Outcome, Trial, Unit, run_unit
from brainlens.study.design import Design

Document = dict[str, Any]
UNFINISHED = "unfinished"


def run_study(
    design: Design, index_path: Path, out: Path, *, ray: str = "", resume: bool = False,
    overwrite: bool = False, allow_leaks: bool = False, against: Path | None = None,
) -> Document:  # fmt: skip
    """Run a design's rows, analyse them, confirm the choice; answers what `study.json` holds.

    Raises UserError kinds for an index without splits, leaks unless allowed, a used folder.
    """
    began, started = time.monotonic(), now()
    index = read_index(index_path)
    labels = check_rows({split: index.of(split) for split in ("train", "val")}, index_path)
    _check_leaks(index, allow_leaks, twins=False)
    other = record.read(against) if against else None
    bench = Bench(index_path, index, labels, out / "runs", spread=bool(ray))
    study = _Study(design, bench, out, ray)
    if resume:
        study.document = record.resumed(out, design, index)
    else:
        fresh_folder(out, overwrite=overwrite, kind="study")
        write_index(index.rows, index.folder, out / "index.csv")
        study.document = record.begun(design, index)
        study.save()  # a kill during the features leaves a study that can go on
    before = study.document["seconds"]["all"]
    try:
        study.run_rows()
        conclusion.analyse(design, study.document)
        study.save()
        if "confirmation" not in study.document:  # the test split is read once
            study.document["leakage"] = _check_leaks(index, allow_leaks, twins=True)
            confirming = time.monotonic()
            study.document["confirmation"] = conclusion.confirm(
                design, study.document, study.bench, study.results, out
            )
            study.spent("confirmation", confirming)
        if other and against:
            study.document["against"] = conclusion.regret(study.document, out, other, against)
    except KeyboardInterrupt:
        study.save()
        done = sum(row["status"] == "done" for row in study.document["rows"])
        raise InterruptedRunError(
            f"stopped with {done} of {len(design.matrix)} rows done. Go on with the same command "
            "and --resume"
        ) from None
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    study.document["protocol"] = read_record(index, index_path)
    study.document["seconds"]["all"] = round(before + time.monotonic() - began, 2)
    study.document["provenance"] = {
        **provenance("study", design.config.seed, started, study.document["seconds"]["all"]),
        "machine": machine.describe(machine.choose_device(), "32-true"),
        "index": {"path": str(index_path), "digest": index.digest(), "labels": labels,
                  "images": {s: sum(n.values()) for s, n in counts(index.rows).items()}},
        "weights": study.bench.weights,
    }  # fmt: skip
    study.save()
    return study.document


def _check_leaks(index: Index, allowed: bool, *, twins: bool) -> Document:
    """What of the test images training or choosing saw; an error unless allowed.

    Without `twins` no picture is opened: the test split is not read before the confirmation.
    """
    test, learned = index.of("test"), index.of("train") + index.of("val")
    checked = crosscheck(index, test, index, learned) if twins else None
    found = checked.seen.values() if checked else leaks_between(test, learned, {})
    seen = [leak.path for leak in found]
    if seen and not allowed:
        raise LeakError(
            f"{len(seen)} of {len(test)} test images are copies, twins or patients of training "
            f"ones (the first: {seen[0]}), so a confirmation would say nothing. Audit the "
            "index and split with --protocol grouped, or give --allow-leaks to measure it as it is"
        )
    certificate = {"certificate": checked.certificate()} if checked else {}
    return {"test_images_seen": len(seen), "allowed": allowed, **certificate}


class _Study:
    """A study while it runs."""

    def __init__(self, design: Design, bench: Bench, out: Path, ray: str) -> None:
        self.design, self.bench, self.out, self.ray = design, bench, out, ray
        self.document: Document = {}

    def save(self) -> None:
        write_json(self.out / "study.json", self.document)

    # --- rows -----------------------------------------------------------------------------------
    def run_rows(self) -> None:
        """Every row that has no result yet, in each arm, from each seed.

        Raises RunError where no row has one in the end.
        """
        rows = self.document["rows"]
        if any(row["status"] == "done" for row in rows):  # taken up again: on the same features?
            self.bench.units(self._trials(range(len(rows))), lambda trial, error: None)
            record.note_features(self.document, self.bench.digests())
        open_rows = [row["row"] for row in rows if row["status"] != "done"]
        if open_rows:
            self.document.pop("confirmation", None)
        for row in open_rows:
            empty: Document = {arm: {} for arm in self.design.arms}
            rows[row] |= {"status": "waiting", "error": "", "results": empty}
        self._run(self._trials(open_rows))
        self.save()
        if not any(row["status"] == "done" for row in rows):
            raise RunError(f"every row failed; the first: {rows[0]['error']}")

    def _trials(self, rows: Iterable[int]) -> list[Trial]:
        """Every run of these rows: each arm, each seed."""
        design, first = self.design, self.design.config.seed
        return [
            Trial(row, arm, design.run(design.levels(row), arm, seed))
            for row in rows
            for arm in design.arms
            for seed in range(first, first + self._replicates)
        ]

    @property
    def _replicates(self) -> int:
        return self.design.config.replicates

    def _run(self, trials: Sequence[Trial]) -> None:
        began = time.monotonic()
        units = self.bench.units(trials, self._fail)
        record.note_features(self.document, self.bench.digests())
        self.spent("features", began)
        self.save()
        began = time.monotonic()
        waiting = {trial.row for unit in units for trial in unit.trials}
        done = 0
        for unit, result in self.results(self._worthwhile(units)):
            for trial, outcome in self._settled(unit, result):
                self._keep(trial, outcome)
            self.save()
            finished = [
                r for r in sorted({t.row for t in unit.trials}) if self._status(r) == "done"
            ]
            done += len(finished)
            left = (time.monotonic() - began) / max(done, 1) * (len(waiting) - done)
            for row in finished:
                say(self._told(row, done, len(waiting), left))
        self.spent("heads", began)

    def _worthwhile(self, units: Sequence[Unit]) -> Iterator[Unit]:
        """The units, less what is left of rows that have failed by then."""
        for unit in units:
            if unit.jobs or self._status(unit.trials[0].row) != "failed":
                yield unit

    def results(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, list[Outcome] | Exception]]:
        """Each unit with its outcomes or its failure; on a cluster in the order they finish."""
        classes = len(self.bench.labels)
        if self.ray:
            from brainlens.study.cluster import spread

            yield from spread(list(units), self.bench.materials, classes, self.ray)
            return
        for unit in units:
            try:
                yield unit, run_unit(unit, self.bench.materials, classes, self.out / UNFINISHED)
            except InterruptedRunError:
                raise KeyboardInterrupt from None
            except Exception as error:  # a row that fails is reported, whatever it raised
                yield unit, error

    def _settled(
        self, unit: Unit, result: list[Outcome] | Exception
    ) -> list[tuple[Trial, Outcome]]:
        """A unit's trials with outcomes; rows that failed together are tried each alone."""
        if not isinstance(result, Exception):
            return list(zip(unit.trials, result, strict=True))
        if isinstance(result, OutputError):  # the disk is full: no other row would fare better
            raise result
        rows = sorted({trial.row for trial in unit.trials})
        if len(rows) == 1:
            self._fail(unit.trials[0], result)
            return []
        settled = []
        for row in rows:
            own = [n for n, trial in enumerate(unit.trials) if trial.row == row]
            part = Unit(tuple(unit.trials[n] for n in own), tuple(unit.jobs[n] for n in own))
            for again, outcome in self.results([part]):
                settled += self._settled(again, outcome)
        return settled

    def _keep(self, trial: Trial, outcome: Outcome) -> None:
        row = self.document["rows"][trial.row]
        figures = {"value": outcome.value, "best_epoch": outcome.best_epoch}
        row["results"][trial.arm][str(trial.config.seed)] = figures
        complete = all(len(own) == self._replicates for own in row["results"].values())
        if complete and row["status"] == "waiting":
            row["status"] = "done"

    def _fail(self, trial: Trial, error: Exception) -> None:
        if isinstance(error, OutputError):
            raise error
        row = self.document["rows"][trial.row]
        reason = " ".join(str(error).split()) or type(error).__name__
        row |= {"status": "failed", "error": reason}
        say(f"row {trial.row + 1} failed: {row['error']}")

    def _status(self, row: int) -> str:
        status: str = self.document["rows"][row]["status"]
        return status

    def _told(self, row: int, done: int, total: int, left: float) -> str:
        results = self.document["rows"][row]["results"]
        figures = ", ".join(
            f"{arm} {np.mean([one['value'] for one in own.values()]):.4f}"
            for arm, own in results.items()
        )
        rest = f"; {done} of {total} rows, {duration(left)} left" if done < total else ""
        return f"row {row + 1}: {figures}{rest}"

    def spent(self, what: str, began: float) -> None:
        spent = self.document["seconds"].get(what, 0.0) + time.monotonic() - began
        self.document["seconds"][what] = round(spent, 2)
