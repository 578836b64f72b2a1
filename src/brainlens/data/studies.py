"""Owns the answer for a whole study: a series or a volume, pooled from its slices.

A tumour is in a few slices, so a mean over all would drown it and one slice alone may err: the
answer is the mean of the probabilities of the three most suspicious slices that could be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brainlens.data.answers import Answer

POOLED = 3  # most suspicious slices


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


def suspicion(answer: Answer, background: str) -> float:
    """The probability that a slice shows something; -1 for one that is refused."""
    finding = answer.finding
    return -1.0 if finding.refusal else 1 - finding.probabilities.get(background, 0.0)


def pool(answers: Sequence[Answer], background: str) -> list[Study]:
    """The studies among the answers, in the order of their first slices."""
    members: dict[str, list[int]] = {}
    for place, answer in enumerate(answers):
        if answer.picture.study:
            members.setdefault(answer.picture.study, []).append(place)
    return [
        _study(number, places, answers, background)
        for number, places in enumerate(members.values(), 1)
    ]


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
