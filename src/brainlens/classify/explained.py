"""Owns the network as it leaves the house: logits, where the evidence lies, and an embedding.

Evidence: a dense head's own map of cells; else the class activation map of every class (Zhou et al.
2016), where the head is one linear layer on average pooling. The embedding, for likeness and
novelty, is what the answer was read from, projected on its principal components and whitened.
"""

from __future__ import annotations

from collections.abc import Callable

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
        assert self.projection is not None
        if isinstance(self.network, DenseClassifier):
            found, fine = self.network.look(x)
            answer, evidence = self.network.answer(found), found.cells[:, None]
            return answer, evidence, self.projection(_read(found.features, fine))
        maps = self.network.backbone(x)  # (N, C, h, w)
        embedding = self.projection(_read(maps.mean((2, 3)), maps))
        return self.network.classify(maps), self._activation(maps), embedding

    def features(self, x: Tensor) -> Tensor:
        """What is projected (N, F)."""
        if isinstance(self.network, DenseClassifier):
            found, fine = self.network.look_alone(x)
            return _read(found.features, fine)
        maps = self.network.backbone(x)
        return _read(maps.mean((2, 3)), maps)

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


def _read(features: Tensor, maps: Tensor) -> Tensor:
    """Features, and mean and spread of each channel of a map: texture, whatever it shows."""
    flat = maps.flatten(2)
    return torch.cat([features, flat.mean(2), (flat.var(2) + 1e-6).sqrt()], 1)


def logits(model: Loaded, network: Explained, seen: Array) -> Array:
    """(N, K) of (N, size, size) uint8, on the CPU in fp32."""
    return _asked(model, network, seen, lambda x: network(x)[0])


def features(model: Loaded, network: Explained, seen: Array) -> Array:
    """(N, F) of (N, size, size) uint8, on the CPU in fp32."""
    return _asked(model, network, seen, network.features)


def _asked(
    model: Loaded, network: Explained, seen: Array, ask: Callable[[Tensor], Tensor]
) -> Array:
    """What `ask` makes of the pictures, a batch at a time."""
    keep_freed_memory()
    parts: list[Array] = []
    network.cpu().eval()
    with torch.inference_mode():
        for start in range(0, len(seen), _BATCH):
            x = model.preprocessing.tensor(np.asarray(seen[start : start + _BATCH]))
            parts.append(ask(torch.from_numpy(x)).numpy())
    return np.concatenate(parts)
