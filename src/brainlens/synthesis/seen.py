"""Owns the features of our own brain-MRI classifiers: pictures in, what the head would see out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainlens.classify.boundary import steps
from brainlens.classify.dense import DenseClassifier
from brainlens.classify.network import load
from brainlens.classify.stages import advance
from brainlens.core.allocator import keep_freed_memory

Array = np.ndarray[Any, Any]
_BATCH = 32


def classifier_features(run: Path) -> Callable[[Array], Array]:
    """A function from (N, H, W) uint8 to (N, D) by the classifier of a run."""
    model = load(run / "model.safetensors")
    network = model.network.eval()

    def read(x: torch.Tensor) -> torch.Tensor:
        if isinstance(network, DenseClassifier):
            return network.evidence(x).features
        return advance(steps(network), x)

    @torch.inference_mode()
    def features(drawn: Array) -> Array:
        keep_freed_memory()
        found = []
        for start in range(0, len(drawn), _BATCH):
            fitted = np.stack([model.preprocessing.picture(p) for p in drawn[start:][:_BATCH]])
            found.append(read(torch.from_numpy(model.preprocessing.tensor(fitted))))
        return torch.cat(found).flatten(1).numpy()

    return features
