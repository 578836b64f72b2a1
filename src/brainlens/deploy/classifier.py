"""Owns the exported classifier at work: files in, calibrated answers out, without torch.

Enters: an ONNX file that `brainlens export` wrote. ONNX Runtime does the arithmetic; labels,
preprocessing, temperature and conformal scores come from the file's own metadata.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from brainlens.core.errors import ImageError, RunError, UserError
from brainlens.data.answers import Answer, answer_files
from brainlens.data.preprocess import Array, from_dict
from brainlens.metrics.temperature import conformal_threshold, softmax

KEY = "brainlens"  # of the metadata entry
_BATCH = 32


class Classifier:
    """An export, ready to answer."""

    def __init__(self, path: Path) -> None:
        """Raises RunError for a file that is no export of a classifier."""
        import onnxruntime

        if not path.is_file():
            raise RunError(f"{path}: no such file; expected an export. Make one: brainlens export")
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = 4
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), quiet, providers=["CPUExecutionProvider"]
            )
            meaning = json.loads(self.session.get_modelmeta().custom_metadata_map[KEY])
            if meaning["kind"] != "classifier":
                raise KeyError(f"kind {meaning['kind']}")
            self.labels = [str(label) for label in meaning["labels"]]
            self.preprocessing = from_dict(meaning["preprocessing"])
            self.temperature = float(meaning["temperature"])
            self.conformal = np.array(meaning["conformal"], np.float64)
        except RunError:
            raise
        except Exception as error:  # ONNX Runtime's errors share no class of their own
            reason = str(error).splitlines()[0][:120]
            raise RunError(
                f"{path}: is no export of a classifier ({reason}). Make one: brainlens export RUN "
                "-o model.onnx"
            ) from None
        self.meaning = meaning

    def logits(self, pictures: Array) -> Array:
        """(N, K) logits of (N, size, size) uint8 pictures."""
        parts = [
            self.session.run(None, {"pictures": self.preprocessing.tensor(some)})[0]
            for some in np.split(pictures, range(_BATCH, len(pictures), _BATCH))
        ]
        return np.concatenate(parts)

    def classify(
        self, files: Sequence[Path], *, coverage: float | None = None
    ) -> tuple[list[Answer], list[ImageError]]:
        """Answers in the order of the files, and the errors of those that cannot be read.

        With `coverage`, each answer has the set of classes that holds the true one with this
        probability, on average over images drawn as the validation images were.
        """
        if coverage is not None and not 0 < coverage < 1:
            raise UserError(f"--coverage {coverage:g}: expected a share between 0 and 1, as 0.95")
        found, unreadable = answer_files(
            files, self.preprocessing, self.labels,
            lambda pictures: softmax(self.logits(pictures), self.temperature),
        )  # fmt: skip
        if coverage is not None:
            limit = conformal_threshold(self.conformal, coverage)
            found = [dataclasses.replace(one, candidates=_set(one, limit)) for one in found]
        return found, unreadable


def _set(answer: Answer, limit: float) -> tuple[str, ...]:
    """The classes no stranger than the threshold allows, the most probable first."""
    inside = [label for label, p in answer.probabilities.items() if 1 - p <= limit]
    return tuple(sorted(inside, key=lambda label: -answer.probabilities[label]))
