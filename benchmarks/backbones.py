"""What each backbone costs: weights on disk, and one picture's latency against MobileNetV2's.

The networks are asked in turn, round after round, so that a busy machine slows them all alike.
Their accuracies on one clean split stand in docs/results/backbones.md.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from brainlens.classify.backbones import BACKBONES
from brainlens.classify.config import TrainConfig
from brainlens.classify.network import Classifier
from brainlens.classify.plan import plan
from brainlens.core.allocator import keep_freed_memory

NAMES = (
    "mobilenetv2", "efficientnet_lite0", "efficientnetv2_b0", "densenet121", "efficientnetv2_s",
    "inception_v3", "vgg16",
)  # fmt: skip
_BASE = "mobilenetv2"


def measure(quick: bool) -> list[dict[str, Any]]:
    """Megabytes and milliseconds of a four-class classifier on each backbone."""
    names = NAMES[:2] if quick else NAMES
    keep_freed_memory()
    networks = {name: _classifier(name) for name in names}
    spent: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(3 if quick else 20):
        for name, (network, x) in networks.items():
            start = time.perf_counter()
            with torch.inference_mode():
                network(x)
            spent[name].append(1000 * (time.perf_counter() - start))
    middle = {name: statistics.median(times[1:]) for name, times in spent.items()}
    size = {name: _megabytes(network) for name, (network, _) in networks.items()}
    rows = []
    for unit, ours, what in (("ms", middle, "one picture"), ("MB", size, "fp32 weights")):
        rows += [
            {
                "what": f"{name} {networks[name][1].shape[-1]} px, {what}",
                "ours": ours[name],
                "baseline": ours[_BASE],
                "unit": unit,
                "ratio": ours[name] / ours[_BASE],
            }
            for name in names
        ]
    return rows


def _classifier(name: str) -> tuple[Classifier, torch.Tensor]:
    """A network with its head, and one picture."""
    assert name in BACKBONES
    architecture, _ = plan(TrainConfig(backbone=name))
    network = Classifier(architecture, 4).eval().to(memory_format=torch.channels_last)
    x = torch.randn(1, 3, architecture.size, architecture.size)
    return network, x.contiguous(memory_format=torch.channels_last)


def _megabytes(network: torch.nn.Module) -> float:
    return sum(float(p.numel()) * 4 for p in network.state_dict().values()) / 1e6
