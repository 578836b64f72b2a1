"""Owns what the server asks of the model: planes in, one Seen a plane out, as plain values."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.data.answers import Finding
from brainlens.deploy.answering import BACKGROUND
from brainlens.deploy.classifier import Classifier
from brainlens.deploy.heatmaps import laid_back
from brainlens.deploy.service.planes import Plane

Array = np.ndarray[Any, Any]
_HEAT = 64  # cells a side of a heat map that the page gets at most


@dataclass(frozen=True)
class Seen:
    """What is known of one slice."""

    finding: Finding
    heat: dict[str, Any] | None  # height, width, and base64 of so many bytes, 255 = most


class Sight:
    """A model at work, and what it is."""

    def __init__(self, path: Path) -> None:
        """Raises RunError for a file that is no export.

        Each call works on the caller's core alone: callers share the cores, not the model.
        """
        self.model = Classifier(path, threads=1)
        self.name = path.name
        self.digest = self.model.digest  # now: the file may be replaced while it serves
        self.labels = tuple(self.model.labels)
        self.healthy = BACKGROUND if BACKGROUND in self.labels else ""

    def judge(self, planes: Sequence[Plane], coverage: float) -> list[Seen]:
        """What is seen in each plane."""
        found = self.model.find(
            [plane.grey for plane in planes], coverage=coverage,
            colours=[plane.colour for plane in planes],
        )  # fmt: skip
        return [self._seen(one, plane) for one, plane in zip(found, planes, strict=True)]

    def suspicion(self, finding: Finding) -> float | None:
        """How much speaks for a tumour: 1 less the probability of none; None where refused."""
        if finding.refusal:
            return None
        return 1 - finding.probabilities[self.healthy] if self.healthy else finding.confidence

    def _seen(self, one: Finding, plane: Plane) -> Seen:
        heat = None
        if one.heat is not None and not one.refusal:
            heat = packed(laid_back(one.heat, plane.grey, self.model.preprocessing, _HEAT))
        return Seen(one, heat)


def packed(heat: Array) -> dict[str, Any]:
    """A heat map of 0..1 as bytes."""
    grey = np.rint(np.clip(np.nan_to_num(heat), 0, 1) * 255).astype(np.uint8)
    data = base64.b64encode(grey.tobytes()).decode("ascii")
    return {"height": grey.shape[0], "width": grey.shape[1], "data": data}
