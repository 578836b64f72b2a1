"""Owns a trained run that answers for single files: paths in, labels with probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from brainlens.classify.inference import probabilities
from brainlens.classify.network import load
from brainlens.core.errors import ImageError
from brainlens.data.answers import Answer, answer_files


class Predictor:
    """A trained run, ready to answer."""

    def __init__(self, run: Path) -> None:
        self.model = load(run / "model.safetensors" if run.is_dir() else run)

    def classify(self, files: Sequence[Path]) -> tuple[list[Answer], list[ImageError]]:
        """Answers in the order of the files, and those that cannot be read.

        Raises ImageError where no file can be read.
        """
        model = self.model
        return answer_files(
            files, model.preprocessing, model.labels, lambda some: probabilities(model, some)
        )
