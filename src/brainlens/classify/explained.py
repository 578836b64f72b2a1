"""Owns the network as it leaves the house: logits, where the evidence lies, and an embedding.

Evidence: a dense head's own map of cells; else the class activation map of every class (Zhou et al.
2016), where the head is one linear layer on average pooling. The embedding, for likeness and
novelty, is what the answer was read from, projected on its principal components and whitened.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.linalg import eigh
from torch import Tensor, nn

from brainlens.classify.dense import DenseClassifier
from brainlens.classify.network import Classifier, Loaded, Network
from brainlens.core.allocator import keep_freed_memory
from brainlens.data.preprocess import Array

_BATCH = 32
DIMENSIONS = 64  # of the embedding


class Explained(nn.Module):
    """A trained network that also says why; final."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.projection: nn.Linear | None = None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (N, K), evidence (N, 1 or K, h, w) in any unit, embedding (N, D)."""
        logits, evidence, features = self.features(x)
        assert self.projection is not None
        return logits, evidence, self.projection(features)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, evidence, and the features before their projection (N, F)."""
        if isinstance(self.network, DenseClassifier):
            found, fine = self.network.look(x)
            read = torch.cat([found.features, _look(fine)], 1)
            return self.network.answer(found), found.cells[:, None], read
        maps = self.network.backbone(x)  # (N, C, h, w)
        logits = self.network.classify(maps)
        return logits, self._activation(maps), torch.cat([maps.mean((2, 3)), _look(maps)], 1)

    def _activation(self, maps: Tensor) -> Tensor:
        """(N, K, h, w) class activation; one empty cell where the head is not linear."""
        assert isinstance(self.network, Classifier)
        last = self.network.head[-1]
        averaged = isinstance(self.network.pool, nn.AdaptiveAvgPool2d)
        if not averaged or len(self.network.head) > 2 or not isinstance(last, nn.Linear):
            return maps[:, :1, :1, :1] * 0
        return F.conv2d(maps, last.weight[:, :, None, None])

    def fit(self, features: Array) -> None:
        """Set the projection: whitened principal components of (N, F) training features."""
        mean = features.mean(0, dtype=np.float64)
        spread = features.std(0, dtype=np.float64) + 1e-6
        scaled = (features - mean) / spread
        # Through the smaller of the two products: exact, and faster than a plain SVD.
        kept = min(DIMENSIONS, *scaled.shape)
        if scaled.shape[0] < scaled.shape[1]:
            squares, sides = eigh(scaled @ scaled.T, subset_by_index=_last(len(scaled), kept))
            axes = (sides / np.sqrt(np.maximum(squares, 1e-9))).T @ scaled
        else:
            squares, sides = eigh(scaled.T @ scaled, subset_by_index=_last(scaled.shape[1], kept))
            axes = sides.T
        values = np.sqrt(np.maximum(squares, 0))
        weight = axes / (values[:, None] / np.sqrt(len(features)) + 1e-6) / spread
        layer = nn.Linear(features.shape[1], kept)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.copy_(torch.from_numpy(-weight @ mean))
        self.projection = layer.requires_grad_(False)


def _last(count: int, kept: int) -> tuple[int, int]:
    """The places of the largest of `count` eigenvalues in their rising order."""
    return count - kept, count - 1


def _look(maps: Tensor) -> Tensor:
    """Mean and spread of each channel of a map: texture, whatever it shows. (N, 2 C)"""
    flat = maps.flatten(2)
    return torch.cat([flat.mean(2), (flat.var(2) + 1e-6).sqrt()], 1)


def run(model: Loaded, network: Explained, seen: Array, *, projected: bool) -> list[Array]:
    """Logits, evidence and features or embedding of (N, size, size) uint8, on the CPU in fp32."""
    keep_freed_memory()
    parts: list[tuple[Any, ...]] = []
    network.cpu().eval()
    ask = network if projected else network.features
    with torch.inference_mode():
        for start in range(0, len(seen), _BATCH):
            x = model.preprocessing.tensor(np.asarray(seen[start : start + _BATCH]))
            parts.append(tuple(part.numpy() for part in ask(torch.from_numpy(x))))
    return [np.concatenate(column) for column in zip(*parts, strict=True)]
