"""Owns the exported classifier at work: pictures in, calibrated findings out, without torch.

Enters: an ONNX file that `brainlens export` wrote. ONNX Runtime does the arithmetic; labels,
preprocessing, temperature, conformal scores and the bank come from the file's own metadata.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.core.errors import ImageError, RunError, UserError
from brainlens.core.processors import threads_for
from brainlens.data.answers import Answer, Finding, Similar, answer_files
from brainlens.data.preprocess import Array, from_dict
from brainlens.data.quality import CHECKS, flagged, measure
from brainlens.data.scans import Picture
from brainlens.metrics.novelty import distances, novelty
from brainlens.metrics.temperature import conformal_threshold, softmax

KEY = "brainlens"  # of the metadata entry
SIMILAR = 5  # training pictures named beside an answer
_BATCH = 4  # pictures at once: 16 are no quicker, since the cache holds less of them
# The flags of the audit for which no answer is given, and why.
REFUSED = {
    "blank": "shows next to nothing",
    "dark": "is nearly black",
    "not-a-slice": "does not look like a slice of a head",
}
FLAGS = tuple(name for name in CHECKS if name != "text")  # which costs more than all others
STRANGE = "is unlike every picture the model learned from"


class Classifier:
    """An export, ready to answer."""

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        """Raises RunError for a file that is no export of a classifier.

        `threads` work on one batch together; 0: as many as there are cores.
        """
        import onnxruntime

        if not path.is_file():
            raise RunError(f"{path}: no such file; expected an export. Make one: brainlens export")
        self.path = path
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = 4
        quiet.intra_op_num_threads = threads_for(threads)
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), quiet, providers=["CPUExecutionProvider"]
            )
            meaning = json.loads(self.session.get_modelmeta().custom_metadata_map[KEY])
            self._understand(meaning)
        except RunError:
            raise
        except Exception as error:  # ONNX Runtime's errors share no class of their own
            reason = str(error).splitlines()[0][:120]
            raise RunError(
                f"{path}: is no export of a classifier ({reason}). Make one: brainlens export RUN "
                "-o model.onnx"
            ) from None

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the export, asked for by reports only."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def _understand(self, meaning: dict[str, Any]) -> None:
        """Take over what the metadata says; raises KeyError, ValueError or RunError."""
        if meaning["kind"] != "classifier":
            raise KeyError(f"kind {meaning['kind']}")
        self.labels = [str(label) for label in meaning["labels"]]
        self.preprocessing = from_dict(meaning["preprocessing"])
        self.temperature = float(meaning["temperature"])
        self.conformal = np.array(meaning["conformal"], np.float64)
        self.limit = float(meaning["novelty"]["limit"])
        bank = meaning.pop("bank")
        flat = np.frombuffer(base64.b64decode(bank["float16"]), "<f2").astype(np.float32)
        self.bank = flat.reshape(-1, bank["dimensions"])
        self.bank_labels, self.bank_names = bank["labels"], bank["names"]
        self.meaning = meaning

    def run(self, pictures: Array) -> tuple[Array, Array, Array]:
        """Logits (N, K), evidence (N, M, h, w), embedding (N, D) of (N, size, size) uint8."""
        parts = [
            self.session.run(None, {"pictures": self.preprocessing.tensor(some)})
            for some in np.split(pictures, range(_BATCH, len(pictures), _BATCH))
        ]
        logits, evidence, embedding = zip(*parts, strict=True)
        return np.concatenate(logits), np.concatenate(evidence), np.concatenate(embedding)

    def find(
        self, pictures: Sequence[Array], *, coverage: float | None = None,
        colours: Sequence[float] = (),
    ) -> list[Finding]:  # fmt: skip
        """What is found in each grey (H, W) uint8 picture of any size.

        `colours` is the share of each that is clearly coloured, as MRI is not.
        With `coverage`, each finding has the set of classes that holds the true one with this
        probability, on average over images drawn as the validation images were.
        """
        sets = None if coverage is None else self.sets(coverage)
        seen = np.stack([self.preprocessing.picture(grey) for grey in pictures])
        logits, evidence, embedding = self.run(seen)
        table = softmax(logits, self.temperature)
        apart = distances(embedding, self.bank)
        new = novelty(apart) / self.limit
        return [
            self._finding(
                table[i], evidence[i], apart[i], float(new[i]), sets,
                grey=pictures[i], colour=colours[i] if colours else 0.0,
            )
            for i in range(len(seen))
        ]  # fmt: skip

    def _finding(
        self, p: Array, evidence: Array, apart: Array, new: float,
        sets: Callable[[Array], tuple[str, ...]] | None, *, grey: Array, colour: float,
    ) -> Finding:  # fmt: skip
        """One picture's finding."""
        best = int(np.argmax(p))
        near = np.argsort(apart)[:SIMILAR]
        flags = flagged(measure(grey, colour=colour, names=FLAGS))
        reasons = [why for flag, why in REFUSED.items() if flag in flags]
        reasons += [f"{STRANGE} ({new:.2f} x the limit)"] if new > 1 else []
        return Finding(
            predicted=self.labels[best],
            confidence=float(p[best]),
            probabilities=dict(zip(self.labels, map(float, p), strict=True)),
            candidates=() if sets is None else sets(p),
            refusal="; ".join(reasons),
            novelty=new,
            flags=tuple(flags),
            similar=tuple(
                Similar(self.bank_names[j], self.bank_labels[j], float(apart[j])) for j in near
            ),
            heat=_heat(evidence, best),
        )

    def sets(self, coverage: float) -> Callable[[Array], tuple[str, ...]]:
        """What makes the conformal set of probabilities (K,): the most probable class first.

        Raises UserError for a coverage that is no share.
        """
        if not 0 < coverage < 1:
            raise UserError(f"--coverage {coverage:g}: expected a share between 0 and 1, as 0.95")
        most = conformal_threshold(self.conformal, coverage)

        def candidates(p: Array) -> tuple[str, ...]:
            return tuple(self.labels[i] for i in np.argsort(-p) if 1 - p[i] <= most)

        return candidates

    def classify(
        self,
        files: Sequence[Path],
        *,
        coverage: float | None = None,
        plane: str = "acquired",
        show: Callable[[Answer], None] | None = None,
    ) -> tuple[list[Answer], list[ImageError]]:
        """Answers in the order of the files, and the errors of those that cannot be read."""

        def find(pictures: Sequence[Picture]) -> list[Finding]:
            greys, colours = [p.grey for p in pictures], [p.colour for p in pictures]
            return self.find(greys, coverage=coverage, colours=colours)

        return answer_files(files, find, plane=plane, show=show)


def _heat(evidence: Array, best: int) -> Array | None:
    """(h, w) 0..1: the probability of a tumour there, or the class's share of its own maximum."""
    if evidence.shape[1:] == (1, 1):
        return None
    if len(evidence) == 1:
        return np.asarray(1 / (1 + np.exp(-evidence[0].astype(np.float64))), np.float32)
    shown = np.maximum(evidence[best], 0)
    return np.asarray(shown / max(float(shown.max()), 1e-9), np.float32)
