"""Owns the forward pass of a trained network: pictures in, probabilities out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from brainlens.classify import machine
from brainlens.classify.network import Loaded
from brainlens.core.allocator import keep_freed_memory
from brainlens.core.progress import track
from brainlens.data.preprocess import Array

_BATCH = 32


def probabilities(model: Loaded, pictures: Array, *, device: str = "auto") -> Array:
    """(N, K) float64 probabilities of (N, size, size) uint8 pictures, in their order."""
    keep_freed_memory()
    where = machine.choose_device(device)
    network = model.network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def batches() -> Iterator[Array]:
        for start in range(0, len(pictures), _BATCH):
            x = model.preprocessing.tensor(np.asarray(pictures[start : start + _BATCH]))
            batch = torch.from_numpy(x).to(where).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                yield network(batch).double().softmax(1).cpu().numpy()

    total = -(-len(pictures) // _BATCH)
    return np.concatenate(list(track(batches(), "classifying", total)))
