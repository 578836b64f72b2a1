"""Owns the forms of an answer: a table for people, JSON and CSV for programs.

Enters: answers and the studies pooled from them. Leaves: text that ends with a newline. Long
volumes show their most suspicious slices in the table, and all of them in JSON and CSV.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from brainlens.data.answers import Answer, Finding
from brainlens.data.studies import Study
from brainlens.report.columns import aligned

SHOWN = 5  # slices of a study in the table


def predictions_as(form: str, answers: Sequence[Answer], studies: Sequence[Study] = ()) -> str:
    """Answers as `table`, `json` (one list; docs/predicting.md has its schema) or `csv`."""
    if form == "json":
        table = [_as_object(answer) for answer in answers] + [_pooled(one) for one in studies]
        return json.dumps(table, indent=1, ensure_ascii=False) + "\n"
    if form == "csv":
        return _as_csv(answers)
    return _as_table(answers, studies)


def _as_object(answer: Answer) -> dict[str, Any]:
    """One answer for a program; what is not known is left out."""
    picture, finding = answer.picture, answer.finding
    more = {
        "slice": picture.number if picture.slices > 1 else None,
        "candidates": list(finding.candidates),
        "refusal": finding.refusal,
        "novelty": None if finding.novelty is None else round(finding.novelty, 4),
        "flags": list(finding.flags),
        "similar": [
            {"name": one.name, "label": one.label, "distance": round(one.distance, 4)}
            for one in finding.similar
        ],
    }
    return {
        "path": picture.path,
        "predicted": finding.predicted,
        "confidence": round(finding.confidence, 6),
        "probabilities": {k: round(v, 6) for k, v in finding.probabilities.items()},
        **{key: value for key, value in more.items() if value not in (None, "", [])},
    }


def _pooled(study: Study) -> dict[str, Any]:
    """A study's answer for a program."""
    return {
        "study": study.name,
        "slices": study.slices,
        "judged": study.judged,
        "predicted": study.predicted,
        "suspicion": round(study.suspicion, 6),
        "probabilities": {k: round(v, 6) for k, v in study.probabilities.items()},
    }


def _as_csv(answers: Sequence[Answer]) -> str:
    labels = list(answers[0].finding.probabilities)
    volumes = any(answer.picture.slices > 1 for answer in answers)
    sets = any(answer.finding.candidates for answer in answers)
    known = any(answer.finding.novelty is not None for answer in answers)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["path", *["slice"][:volumes], "predicted", "confidence", *(f"p_{k}" for k in labels)]
    writer.writerow([*head, *["candidates"][:sets], *["novelty", "refusal"][: 2 * known]])
    for answer in answers:
        picture, finding = answer.picture, answer.finding
        numbers = [f"{finding.probabilities[label]:.6f}" for label in labels]
        writer.writerow(
            [picture.path, *[picture.number][:volumes], finding.predicted,
             f"{finding.confidence:.6f}", *numbers, *[" ".join(finding.candidates)][:sets],
             *[f"{finding.novelty or 0:.4f}", finding.refusal][: 2 * known]]
        )  # fmt: skip
    return text.getvalue()


def _as_table(answers: Sequence[Answer], studies: Sequence[Study]) -> str:
    hidden = {place for study in studies for place in study.order[SHOWN:]}
    labels = list(answers[0].finding.probabilities)
    sets = any(answer.finding.candidates for answer in answers)
    rows = [["file", "answer", *labels, *["set"][:sets]]]
    notes = []
    for place in _places(answers, studies):
        if place in hidden:
            continue
        answer = answers[place]
        finding = answer.finding
        percents = [f"{finding.probabilities[label]:.1%}" for label in labels]
        if finding.refusal:
            notes.append(f"{answer.picture.name}: no slice I can judge: it {finding.refusal}")
            percents = ["-"] * len(labels)
        rows.append([answer.picture.name, _word(finding), *percents, *[_set(finding)][:sets]])
    text = aligned(rows) + "\n"
    if studies:
        text += "\n" + aligned([["study", "slices", "answer", "any tumour"], *map(_line, studies)])
        text += (
            f"\n\nA study's answer is the mean of its 3 most suspicious slices; the {SHOWN} most "
            "suspicious are shown.\n"
        )
        text += "".join(f"{line}\n" for study in studies for line in _unjudged(study, answers))
    return text + "".join(f"\n{note}" for note in notes) + "\nresearch use, not a medical device\n"


def _places(answers: Sequence[Answer], studies: Sequence[Study]) -> list[int]:
    """Single pictures in their order, then each study's slices, the most suspicious first."""
    pooled = [place for study in studies for place in study.order]
    rest = set(pooled)
    return [place for place in range(len(answers)) if place not in rest] + pooled


def _word(finding: Finding) -> str:
    return "refused" if finding.refusal else finding.predicted


def _set(finding: Finding) -> str:
    return "-" if finding.refusal else " or ".join(finding.candidates) or "none fits"


def _unjudged(study: Study, answers: Sequence[Answer]) -> list[str]:
    """Why slices of a study were not judged, each by its first reason; nothing where all were."""
    said = [answers[place].finding.refusal for place in study.order]
    first = [re.sub(r" \(.*", "", words.partition("; ")[0]) for words in said if words]
    if not first:
        return []
    why = "; ".join(f"{reason} ({count})" for reason, count in Counter(first).most_common())
    return [f"{study.name}: {len(first)} of {study.slices} slices not judged: {why}"]


def _line(study: Study) -> list[str]:
    judged = f"{study.judged} of {study.slices}"
    return [study.name, judged, study.predicted or "refused", f"{study.suspicion:.1%}"]
