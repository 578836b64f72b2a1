"""Owns a trained run that answers for single files: paths in, labels with probabilities out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from brainlens.classify.inference import probabilities
from brainlens.classify.network import load
from brainlens.core.errors import ImageError
from brainlens.data.answers import Answer, Finding, answer_files, plain_findings
from brainlens.data.scans import Picture


class Predictor:
    """A trained run, ready to answer."""

    def __init__(self, run: Path) -> None:
        self.model = load(run / "model.safetensors" if run.is_dir() else run)

    def classify(
        self,
        files: Sequence[Path],
        *,
        plane: str = "acquired",
        show: Callable[[Answer], None] | None = None,
    ) -> tuple[list[Answer], list[ImageError]]:
        """Answers in the order of the files, and those that cannot be read.

        Raises ImageError where no file can be read.
        """
        model = self.model

        def find(pictures: Sequence[Picture]) -> list[Finding]:
            seen = np.stack([model.preprocessing.picture(p.grey) for p in pictures])
            return plain_findings(probabilities(model, seen), model.labels)

        return answer_files(files, find, plane=plane, show=show)
