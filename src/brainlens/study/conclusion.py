"""Owns what a study comes to: its analysis, its confirmation, its distance from another study.

Enters: study.json's document with finished rows. Leaves: the parts of it that are conclusions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.classify.network import save
from brainlens.classify.plan import plan
from brainlens.data.preprocess import Array
from brainlens.study import analysis, confirmation
from brainlens.study.bench import Bench, Outcome, Trial, Unit
from brainlens.study.design import Design

Document = dict[str, Any]
Run = Callable[[Iterable[Unit]], Iterator[tuple[Unit, list[Outcome] | Exception]]]


def responses(document: Document, arm: str) -> tuple[list[int], Array]:
    """The finished rows and their responses (rows, R), a column a seed."""
    done = [row for row in document["rows"] if row["status"] == "done"]
    values = [
        [one["value"] for _, one in sorted(row["results"][arm].items(), key=lambda kv: int(kv[0]))]
        for row in done
    ]
    return [row["row"] for row in done], np.array(values)


def analyse(design: Design, document: Document) -> None:
    """Fill in each arm's tables and the arms' differences."""
    arms, y = list(design.arms), {}
    document["analysis"] = {}
    for arm in arms:
        rows, y[arm] = responses(document, arm)
        document["analysis"][arm] = analysis.analyse(design, rows, y[arm])
    document["arms"] = [
        {"first": a, "second": b, **analysis.compare_arms(y[a], y[b])}
        for i, a in enumerate(arms)
        for b in arms[i + 1 :]
    ]


def confirm(design: Design, document: Document, bench: Bench, run: Run, out: Path) -> Document:
    """Each arm's chosen levels from new seeds; the best arm alone on the test split."""
    tables = document["analysis"]
    first, replicates = design.config.seed, design.config.replicates
    seeds = range(first + replicates, first + 2 * replicates)
    trials = [
        Trial(-1, arm, design.run(design.at(tables[arm]["chosen"]["levels"]), arm, seed))
        for arm in design.arms
        for seed in seeds
    ]
    found = _fresh(trials, bench, run)
    means = {arm: float(np.mean([o.value for _, o in own])) for arm, own in found.items()}
    pick = min if design.goal == "smaller" else max
    arm = pick(means, key=lambda name: means[name])
    chosen, outcomes = zip(*found[arm], strict=True)
    _save_best(chosen[0], outcomes[0], bench, out)
    rows = bench.index.of("test")
    return {
        "seeds": list(seeds),
        "validation": {
            name: {
                "values": [outcome.value for _, outcome in own],
                "mean": means[name],
                "inside": _inside(means[name], tables[name]["predicted"]),
            }
            for name, own in found.items()
        },
        "arm": arm,
        "settings": tables[arm]["chosen"]["settings"],
        "test": confirmation.test_figures(bench, rows, chosen, outcomes, out) if rows else None,
    }


def _fresh(
    trials: Sequence[Trial], bench: Bench, run: Run
) -> dict[str, list[tuple[Trial, Outcome]]]:
    """The trials' outcomes by arm, seeds in order; here a failure is one of the study."""

    def refuse(_: Trial, error: Exception) -> None:
        raise error

    outcomes: dict[tuple[str, int], tuple[Trial, Outcome]] = {}
    for unit, result in run(bench.units(trials, refuse)):
        if isinstance(result, Exception):
            raise result
        for trial, outcome in zip(unit.trials, result, strict=True):
            outcomes[trial.arm, trial.config.seed] = (trial, outcome)
    found: dict[str, list[tuple[Trial, Outcome]]] = {}
    for trial in trials:
        found.setdefault(trial.arm, []).append(outcomes[trial.arm, trial.config.seed])
    return found


def _save_best(trial: Trial, outcome: Outcome, bench: Bench, out: Path) -> None:
    """The first new seed's model, for `predict --model`."""
    architecture, preprocessing = plan(trial.config)
    save(
        out / "best.safetensors",
        bench.classifier(trial, outcome),
        architecture=architecture,
        labels=bench.labels,
        preprocessing=preprocessing,
        facts={"epoch": outcome.best_epoch, trial.config.monitor: outcome.value},
    )


def _inside(mean: float, predicted: Document) -> bool | None:
    """Whether the confirmation fell into the predicted interval."""
    if predicted["low"] is None:
        return None
    return bool(predicted["low"] <= mean <= predicted["high"])


def regret(document: Document, out: Path, other: Document, folder: Path) -> Document:
    """How far this study's choice is from the other's: on the test images and in this table."""
    found = confirmation.regret(out, folder, other["design"]["name"])
    arm = document["confirmation"]["arm"]
    rows, y = responses(document, arm)
    settings = other["confirmation"]["settings"]
    same = [i for i, row in enumerate(rows) if document["rows"][row]["settings"] == settings]
    if not same:
        return found | {"in_table": None}
    smaller = document["design"]["goal"] == "smaller"
    means = -y.mean(1) if smaller else y.mean(1)
    best, theirs = int(np.argmax(means)), same[0]
    gap = analysis.paired(y[theirs] - y[best] if smaller else y[best] - y[theirs])
    rank = int((means > means[theirs]).sum()) + 1
    return found | {"in_table": {"gap": gap, "rank": rank, "rows": len(rows)}}
