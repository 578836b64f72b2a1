"""Owns the comparison of evaluations on the same test images: folders in, tests and words out.

Two models are compared image by image, matched by digest; several pairs are corrected together
(Holm). Nothing is called better without that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.core.errors import UserError
from brainlens.metrics.comparison import Difference, compare, holm, shown
from brainlens.report.artefacts import read_csv
from brainlens.report.columns import aligned

_COLUMNS = ("digest", "group", "label", "predicted")
_ALPHA = 0.05


@dataclass(frozen=True)
class Answers:
    """What a model answered, by digest and place among its copies."""

    right: Mapping[tuple[str, int], bool]
    label: Mapping[tuple[str, int], str]
    group: Mapping[tuple[str, int], str]


@dataclass(frozen=True)
class Pair:
    """Two evaluations and what the tests say."""

    first: str
    second: str
    images: int
    difference: Difference
    holm_mcnemar: float
    holm_bootstrap: float
    better: str  # the name of the better one; "" where neither is shown to be


def read_answers(folder: Path) -> Answers:
    """The answers of an evaluation folder."""
    seen: dict[str, int] = {}
    keyed = {}
    for row in read_csv(folder / "predictions.csv", _COLUMNS):
        copy = seen[row["digest"]] = seen.get(row["digest"], -1) + 1
        keyed[row["digest"], copy] = row
    return Answers(
        {key: row["label"] == row["predicted"] for key, row in keyed.items()},
        {key: row["label"] for key, row in keyed.items()},
        {key: row["group"] for key, row in keyed.items()},
    )


def same_test(one: Answers, other: Answers) -> bool:
    """Whether both judged the same images under the same labels."""
    return one.label == other.label


def compare_folders(folders: Sequence[Path]) -> list[Pair]:
    """Every pair of evaluations; raises UserError where their test images differ."""
    if len(folders) < 2:
        raise UserError("got one evaluation; expected two or more to compare")
    names = _names(folders)
    answers = [read_answers(folder) for folder in folders]
    for folder, one in zip(folders[1:], answers[1:], strict=True):
        if not same_test(answers[0], one):
            shared = len(answers[0].label.items() & one.label.items())
            raise UserError(
                f"{folder}: judged other images or labels than {folders[0]} ({shared} of "
                f"{len(one.label)} are the same). Evaluate both runs on one index"
            )
    return compare_answers(names, answers)


def compare_answers(names: Sequence[str], answers: Sequence[Answers]) -> list[Pair]:
    """Every pair of answers to one test, corrected together."""
    keys = list(answers[0].right)
    group = np.unique([answers[0].group[key] for key in keys], return_inverse=True)[1]
    right = [np.array([one.right[key] for key in keys]) for one in answers]
    couples = list(combinations(range(len(answers)), 2))
    found = [compare(right[i], right[j], group) for i, j in couples]
    mcnemar = holm([one.p_mcnemar for one in found])
    bootstrap = holm([one.p_bootstrap for one in found])
    pairs = []
    for (i, j), one, p, q in zip(couples, found, mcnemar, bootstrap, strict=True):
        winner = {"first": names[i], "second": names[j], "": ""}[shown(one, p, q, _ALPHA)]
        pairs.append(Pair(names[i], names[j], len(keys), one, p, q, winner))
    return pairs


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' names, or as given where two share one."""
    names = [folder.resolve().name for folder in folders]
    return [
        name if names.count(name) == 1 else folder.as_posix()
        for name, folder in zip(names, folders, strict=True)
    ]


def sentence(pair: Pair) -> str:
    """What may be said of a pair."""
    if pair.better:
        other = pair.second if pair.better == pair.first else pair.first
        return f"{pair.better} is better than {other}"
    return "no difference shown"


def cells(pair: Pair) -> list[str]:
    """A pair as cells of a table; differences in percentage points."""
    return cells_of(dataclasses.asdict(pair) | {"says": sentence(pair)})


def cells_of(pair: Mapping[str, Any]) -> list[str]:
    """The same of a pair as JSON has it."""
    one = pair["difference"]
    within = "-" if one["low"] is None or one["high"] is None else (
        f"{100 * one['low']:+.1f} to {100 * one['high']:+.1f}"
    )  # fmt: skip
    return [
        f"{pair['first']} - {pair['second']}", f"{100 * one['value']:+.1f}", within,
        f"{one['only_first']} / {one['only_second']}", _p(pair["holm_mcnemar"]),
        _p(pair["holm_bootstrap"]), pair["says"],
    ]  # fmt: skip


HEAD = (
    "pair", "accuracy, points", "95 % over groups", "right alone", "McNemar p", "bootstrap p",
    "what may be said",
)  # fmt: skip


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def summary(pairs: Sequence[Pair]) -> str:
    """The pairs on the terminal."""
    table = aligned([list(HEAD), *(cells(pair) for pair in pairs)])
    return f"{pairs[0].images} test images; p by Holm over {len(pairs)} pairs\n\n{table}"


def as_document(pairs: Sequence[Pair]) -> dict[str, Any]:
    """The pairs as JSON has them."""
    return {
        "kind": "comparison",
        "images": pairs[0].images,
        "correction": "Holm",
        "pairs": [dataclasses.asdict(pair) | {"says": sentence(pair)} for pair in pairs],
    }
