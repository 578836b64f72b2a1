"""Owns what the server asks of the model, and what a picture shows without one.

Enters: planes. Leaves: one Seen a plane. `Classifier.find` answers where the export has it; an older
one gives probabilities and the conformal set, and the quality checks say what is no slice.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from brainlens.data.quality import flagged, measure
from brainlens.deploy.classifier import Classifier
from brainlens.deploy.service.planes import Plane
from brainlens.metrics.temperature import conformal_threshold, softmax

Array = np.ndarray[Any, Any]
_HEAT = 64  # cells a side of a heat map that the page gets at most
_HEALTHY = ("none", "no", "no_tumour", "no_tumor", "normal", "healthy")
_UNFIT = {
    "not-a-slice": "this does not look like a slice of a head",
    "blank": "the picture is blank",
    "dark": "the picture is too dark to be judged",
    "tiny": "the picture is too small to be judged",
}


@dataclass(frozen=True)
class Seen:
    """What is known of one slice."""

    probabilities: dict[str, float]
    predicted: str
    confidence: float
    candidates: tuple[str, ...]
    refusal: str  # "" or why it cannot be judged
    novelty: float | None
    flags: tuple[str, ...]
    similar: tuple[dict[str, Any], ...]
    heat: dict[str, Any] | None  # height, width, and base64 of so many bytes, 255 = most


class Sight:
    """A model at work, and what it is."""

    def __init__(self, path: Path) -> None:
        """Raises RunError for a file that is no export."""
        self.model = Classifier(path)
        self.name = path.name
        self.digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.labels = tuple(self.model.labels)
        self.healthy = next((one for one in self.labels if one.lower() in _HEALTHY), "")

    def judge(self, planes: Sequence[Plane], coverage: float) -> list[Seen]:
        """What the model and the quality checks see in each plane."""
        find = getattr(self.model, "find", None)
        greys = [plane.grey for plane in planes]
        if find is not None:
            return [
                _of_finding(one, plane)
                for one, plane in zip(find(greys, coverage=coverage), planes, strict=True)
            ]
        logits = self.model.logits(
            np.stack([self.model.preprocessing.picture(grey) for grey in greys])
        )
        limit = conformal_threshold(self.model.conformal, coverage)
        table = softmax(logits, self.model.temperature)
        return [self._plain(p, plane, limit) for p, plane in zip(table, planes, strict=True)]

    def suspicion(self, seen: Seen) -> float | None:
        """How much speaks for a tumour: 1 less the probability of none; None where refused."""
        if seen.refusal:
            return None
        return 1 - seen.probabilities[self.healthy] if self.healthy else seen.confidence

    def _plain(self, p: Array, plane: Plane, limit: float) -> Seen:
        """From probabilities alone."""
        named = dict(zip(self.labels, map(float, p), strict=True))
        ranked = sorted(named, key=lambda label: -named[label])
        inside = tuple(label for label in ranked if 1 - named[label] <= limit)
        flags = _flags(plane)
        refusal = next((words for name, words in _UNFIT.items() if name in flags), "")
        notes = tuple(f"{name}={value:.3g}" for name, value in flags.items())
        return Seen(named, ranked[0], named[ranked[0]], inside, refusal, None, notes, (), None)


def _of_finding(found: Any, plane: Plane) -> Seen:
    """What `Classifier.find` says; colour, which it never saw, has its own say."""
    refusal = found.refusal
    if not refusal and plane.colour > 0.1 and "not-a-slice" in _flags(plane):
        refusal = _UNFIT["not-a-slice"]
    return Seen(
        {label: float(p) for label, p in found.probabilities.items()}, found.predicted,
        float(found.confidence), tuple(found.candidates), refusal, _finite(found.novelty),
        tuple(found.flags),
        tuple({"name": one.name, "label": one.label, "distance": _finite(one.distance)}
              for one in found.similar),
        None if found.heat is None else _packed(found.heat),
    )  # fmt: skip


def _finite(value: float) -> float | None:
    """A number that JSON has, or None."""
    return float(value) if np.isfinite(value) else None


def _flags(plane: Plane) -> dict[str, float]:
    height, width = plane.grey.shape
    return flagged(measure(plane.grey, width=width, height=height, colour=plane.colour))


def _packed(heat: Array) -> dict[str, Any]:
    """A heat map of 0..1 as bytes."""
    if max(heat.shape) > _HEAT:
        scale = _HEAT / max(heat.shape)
        size = (max(1, round(heat.shape[1] * scale)), max(1, round(heat.shape[0] * scale)))
        image = Image.fromarray(heat.astype(np.float32), "F")
        heat = np.asarray(image.resize(size, Image.Resampling.BOX))
    grey = np.rint(np.clip(np.nan_to_num(heat), 0, 1) * 255).astype(np.uint8)
    data = base64.b64encode(grey.tobytes()).decode("ascii")
    return {"height": grey.shape[0], "width": grey.shape[1], "data": data}
