"""Owns answers: what a model finds in a picture, and the way from files to answers.

Shared by the predictor that runs a training run, by the one that runs an export and by the server:
files are read and answers are made in the same way, so that only the arithmetic between differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from brainlens.core.errors import ImageError
from brainlens.core.processors import cores
from brainlens.core.progress import track
from brainlens.data.preprocess import Array
from brainlens.data.scans import Picture, read_pictures

CHUNK = 256  # pictures answered at once


@dataclass(frozen=True)
class Similar:
    """A training picture that looks alike to the model."""

    name: str  # the first digits of its digest: no pixel and no name is kept
    label: str
    distance: float


@dataclass(frozen=True)
class Finding:
    """What the model says of one picture."""

    predicted: str
    confidence: float  # the probability of `predicted`
    probabilities: dict[str, float]  # by label; they sum to 1
    candidates: tuple[str, ...] = ()  # the conformal set, where one was asked for
    refusal: str = ""  # why this is no picture that can be judged; "" where it is one
    novelty: float | None = None  # distance to what was learned from; 1 is the limit
    flags: tuple[str, ...] = ()  # what is wrong with the picture, from the audit's checks
    similar: tuple[Similar, ...] = ()  # nearest training pictures, nearest first
    heat: Array | None = field(default=None, compare=False)  # (h, w) 0..1, of the network's input


@dataclass(frozen=True)
class Answer:
    """A picture and what was found in it."""

    picture: Picture
    finding: Finding


def answer_files(
    files: Sequence[Path], find: Callable[[Sequence[Picture]], list[Finding]], *,
    plane: str = "acquired", show: Callable[[Answer], None] | None = None,
) -> tuple[list[Answer], list[ImageError]]:  # fmt: skip
    """Answers in the order of the files, and the errors of those that cannot be read.

    `find` is called with some hundreds of pictures at a time, and `show` with each answer while it
    has its pixels, so that memory does not grow with the files. Raises ImageError where none is
    read.
    """
    found: list[Answer] = []
    unreadable: list[ImageError] = []
    waiting: list[Picture] = []

    def answer() -> None:
        for picture, finding in zip(waiting, find(waiting), strict=True):
            if show:
                show(Answer(picture, finding))
            found.append(Answer(picture.without_pixels(), finding))
        waiting.clear()

    with ThreadPoolExecutor(cores()) as pool:
        for start in track(range(0, len(files), CHUNK), "classifying", -(-len(files) // CHUNK)):
            some = files[start : start + CHUNK]
            for result in pool.map(lambda file: _read(file, plane), some):
                if isinstance(result, ImageError):
                    unreadable.append(result)
                    continue
                waiting += result
                if len(waiting) >= CHUNK:
                    answer()
            if waiting:
                answer()
    if not found:
        raise unreadable[0]
    return found, unreadable


def _read(file: Path, plane: str) -> list[Picture] | ImageError:
    try:
        return read_pictures(file, plane=plane)
    except ImageError as error:
        return error


def plain_findings(table: Array, labels: Sequence[str]) -> list[Finding]:
    """Findings of (N, K) probabilities alone."""
    found = []
    for p in table:
        best = int(np.argmax(p))
        found.append(
            Finding(labels[best], float(p[best]), dict(zip(labels, map(float, p), strict=True)))
        )
    return found
