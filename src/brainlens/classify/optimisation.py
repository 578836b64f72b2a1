"""Owns what a step changes and by how much: optimizers, rates, what rests, weights of the classes.

Enters: a config, a network, the classes of the training pictures. Leaves: numbers and modules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from brainlens.classify.config import TrainConfig
from brainlens.classify.network import Network, layer_groups

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
}


def optimizer_of(weights: Sequence[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer of these weights; on a CPU in one pass over them where torch has it so.

    Pass by pass a plain CNN's ten million dense weights cost Adam more than its convolutions.
    """
    options: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer == "sgd":
        options["momentum"] = config.momentum
    if config.optimizer != "adadelta" and weights[0].device.type == "cpu":
        options["fused"] = True
    return OPTIMIZERS[config.optimizer](weights, **options)


def cosine_rate(config: TrainConfig, epoch: float) -> float:
    """The learning rate at a time in epochs: constant for the head, then warm-up, then cosine."""
    start = config.head_epochs if config.tune == "two-phase" else 0
    if epoch < start:
        return config.learning_rate
    top = config.fine_rate if config.tune == "two-phase" else config.learning_rate
    length = max(config.epochs - start, 1e-9)
    warm = min(config.warmup_epochs, length / 2)
    at = epoch - start
    if at < warm:
        return top * max(at / warm, 0.02)
    return top * max(0.5 * (1 + math.cos(math.pi * (at - warm) / (length - warm))), 0.01)


def frozen_layers(network: Network, config: TrainConfig) -> list[nn.Module]:
    """The backbone layers that this run never changes."""
    groups = layer_groups(network.backbone)
    if config.tune == "head":
        kept = groups
    elif config.tune == "last":
        kept = groups[: max(0, len(groups) - config.tune_blocks)]
    elif config.tune == "early":
        kept = groups[config.tune_blocks :]
    else:
        kept = []
    return [module for group in kept for module in group]


def moving_average(network: Network, decay: float) -> AveragedModel:
    """A moving average of weights and statistics; short at first, or it would hold the start."""

    def follow(mean: Tensor, value: Tensor, count: Tensor | int) -> Tensor:
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        if not mean.is_floating_point():
            return value
        return mean * keep + value * (1 - keep)

    average = AveragedModel(network, avg_fn=follow, use_buffers=True)
    average.requires_grad_(False)
    return average


def class_weights(classes: np.ndarray) -> Tensor:
    """Weights that make every class count the same, of mean 1 over the images."""
    count = np.bincount(classes[classes >= 0])
    return torch.tensor(len(classes) / (len(count) * count), dtype=torch.float32)
