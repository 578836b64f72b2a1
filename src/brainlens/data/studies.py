"""Owns the answer for a whole study: a series or a volume, pooled from its slices.

A tumour is in a few slices, so a mean over all would drown it and one slice alone may err: the
answer is the mean of the probabilities of the three most suspicious slices that could be judged.
And it goes on over some millimetres, as a vessel or a fold seldom does: each slice is answered with
those beside it in mind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from brainlens.data.answers import Answer, Finding
from brainlens.data.preprocess import Array

POOLED = 3  # most suspicious slices
HEAD = 24  # slices of some 6 mm through a head: so thick are those of a usual tumour protocol
_SURE = 1e-7  # probabilities nearer to 0 or 1 than this are taken for this


@dataclass(frozen=True)
class Study:
    """What is answered for several slices together."""

    name: str  # the file of a volume, or the folder and number of a series
    slices: int
    judged: int  # those that were not refused
    predicted: str  # "" where no slice could be judged
    probabilities: dict[str, float]
    suspicion: float  # the probability of anything but the background
    order: tuple[int, ...]  # places of its slices among the answers, the most suspicious first


def beside(table: Array, judged: Array, background: int) -> Array:
    """Probabilities (N, K) of a study's slices in their order, each with its neighbours in mind.

    The log odds of anything but the background are averaged with weights that fall in a straight
    line: half a slice's own, a quarter of either neighbour's. Thin slices ask as
    many to either side as fill the same 6 mm, by their number, since headers often have no true
    spacing. A neighbour that is missing or not `judged` (N,) leaves its part to the slice. What a
    tumour would be is left as it was, or even where the slice alone gave it no chance at all.
    """
    none = np.clip(table[:, background], _SURE, 1 - _SURE)
    odds = np.log((1 - none) / none)
    mixed = odds.copy()
    reach = max(1, len(odds) // HEAD)
    for i in map(int, np.flatnonzero(judged)):
        near = [j for j in range(max(0, i - reach), min(len(odds), i + reach + 1)) if judged[j]]
        mixed[i] += sum((reach + 1 - abs(j - i)) * (odds[j] - odds[i]) for j in near) / (
            (reach + 1) ** 2
        )
    sick = 1 / (1 + np.exp(-mixed))
    kinds = table.astype(float) + np.finfo(float).tiny
    kinds[:, background] = 0
    out = kinds / kinds.sum(1, keepdims=True) * sick[:, None]
    out[:, background] = 1 - sick
    return np.where(judged[:, None], out, table)


def among_neighbours(
    findings: Sequence[Finding], background: str,
    candidates: Callable[[Array], tuple[str, ...]] | None = None,
) -> list[Finding]:  # fmt: skip
    """What is found in a study's slices, in their order, each with its neighbours in mind.

    `candidates` gives the conformal set of probabilities (K,) in the findings' own order of labels.
    """
    if len(findings) < 2 or background not in findings[0].probabilities:
        return list(findings)
    labels = list(findings[0].probabilities)
    table = np.array([[one.probabilities[k] for k in labels] for one in findings])
    judged = np.array([not one.refusal for one in findings])
    mixed = beside(table, judged, labels.index(background))
    return [_renewed(one, labels, p, candidates) for one, p in zip(findings, mixed, strict=True)]


def in_context(
    answers: Sequence[Answer], background: str,
    candidates: Callable[[Array], tuple[str, ...]] | None = None,
) -> list[Answer]:  # fmt: skip
    """The same answers, those of a study's slices with their neighbours in mind."""
    out = list(answers)
    for places in _members(answers).values():
        order = sorted(places, key=lambda place: (answers[place].picture.position, place))
        findings = [answers[place].finding for place in order]
        mixed = among_neighbours(findings, background, candidates)
        for place, finding in zip(order, mixed, strict=True):
            out[place] = replace(out[place], finding=finding)
    return out


def _renewed(
    finding: Finding, labels: Sequence[str], p: Array,
    candidates: Callable[[Array], tuple[str, ...]] | None,
) -> Finding:  # fmt: skip
    best = int(np.argmax(p))
    return replace(
        finding, predicted=labels[best], confidence=float(p[best]),
        probabilities=dict(zip(labels, map(float, p), strict=True)),
        candidates=candidates(p) if candidates else finding.candidates,
    )  # fmt: skip


def suspicion(answer: Answer, background: str) -> float:
    """The probability that a slice shows something; -1 for one that is refused."""
    finding = answer.finding
    return -1.0 if finding.refusal else 1 - finding.probabilities.get(background, 0.0)


def pool(answers: Sequence[Answer], background: str) -> list[Study]:
    """The studies among the answers, in the order of their first slices."""
    return [
        _study(number, places, answers, background)
        for number, places in enumerate(_members(answers).values(), 1)
    ]


def _members(answers: Sequence[Answer]) -> dict[str, list[int]]:
    """The places of each study's slices among the answers."""
    members: dict[str, list[int]] = {}
    for place, answer in enumerate(answers):
        if answer.picture.study:
            members.setdefault(answer.picture.study, []).append(place)
    return members


def _study(number: int, places: Sequence[int], answers: Sequence[Answer], background: str) -> Study:
    order = sorted(places, key=lambda place: -suspicion(answers[place], background))
    judged = [place for place in order if not answers[place].finding.refusal]
    top = [answers[place].finding.probabilities for place in judged[:POOLED]]
    pooled = {label: sum(p[label] for p in top) / len(top) for label in top[0]} if top else {}
    first = answers[places[0]].picture
    name = first.path if first.slices > 1 else f"{Path(first.path).parent}, series {number}"
    return Study(
        name, len(places), len(judged), max(pooled, key=lambda k: pooled[k]) if pooled else "",
        pooled, 1 - pooled.get(background, 0.0) if pooled else 0.0, tuple(order),
    )  # fmt: skip
