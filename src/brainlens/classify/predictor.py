"""Owns answers for single files: paths in, labels with probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainlens.classify.inference import probabilities
from brainlens.classify.network import load
from brainlens.core.errors import ImageError, UserError
from brainlens.core.images import find_images, read_grey


@dataclass(frozen=True)
class Answer:
    """What the model says of one file."""

    path: str
    predicted: str
    confidence: float  # the probability of `predicted`
    probabilities: dict[str, float]  # by label; they sum to 1


def find_inputs(inputs: Sequence[Path]) -> list[Path]:
    """Files as given, folders as the images below them."""
    files: list[Path] = []
    for entry in inputs:
        found = find_images(entry) if entry.is_dir() else [entry]
        if not found:
            raise UserError(f"{entry}: holds no image. Give a file, or a folder with images")
        files += found
    return files


class Predictor:
    """A trained run, ready to answer."""

    def __init__(self, run: Path) -> None:
        self.model = load(run / "model.safetensors" if run.is_dir() else run)

    def classify(self, files: Sequence[Path]) -> tuple[list[Answer], list[ImageError]]:
        """Answers in the order of the files, and those that cannot be read.

        Raises ImageError where no file can be read.
        """
        readable: list[Path] = []
        pictures: list[np.ndarray] = []
        unreadable: list[ImageError] = []
        for file in files:
            try:
                pictures.append(self.model.preprocessing.picture(read_grey(file)))
                readable.append(file)
            except ImageError as error:
                unreadable.append(error)
        if not readable:
            raise unreadable[0]
        table = probabilities(self.model, np.stack(pictures))
        return [
            self._answer(file, row) for file, row in zip(readable, table, strict=True)
        ], unreadable

    def _answer(self, file: Path, p: np.ndarray) -> Answer:
        best = int(np.argmax(p))
        named = dict(zip(self.model.labels, map(float, p), strict=True))
        return Answer(str(file), self.model.labels[best], float(p[best]), named)
