"""Owns where the frozen part of a classifier ends: the network as a row of steps, and a cut in it.

Enters: a classifier and what it trains. Leaves: how many leading steps never change and draw no
random numbers, so that their output can be computed once; and the way through the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from torch import Tensor, nn

from brainlens.classify.augment import POLICIES
from brainlens.classify.config import TrainConfig
from brainlens.classify.network import Classifier
from brainlens.classify.stages import stages


def steps(network: Classifier) -> list[nn.Module]:
    """The backbone's modules, one after the other, and the pooling; the head follows."""
    return [*stages(network.backbone), nn.Sequential(network.pool, nn.Flatten())]


def boundary(network: Classifier, config: TrainConfig, frozen: Sequence[nn.Module]) -> int:
    """How many leading steps give the same for a picture in every epoch.

    0 where pictures are augmented anew each epoch: then nothing can be kept.
    """
    row = steps(network)
    if POLICIES[config.augment] is not None and not config.views:
        return 0
    if config.tune == "head":  # the whole backbone rests in evaluation mode
        return len(row)
    if config.tune != "last":
        return 0
    resting = {id(part) for module in frozen for part in module.modules()}
    count = len(list(takewhile(lambda step: _rests(step, resting), row)))
    return count if any(True for step in row[:count] for _ in step.parameters()) else 0


def _rests(step: nn.Module, resting: set[int]) -> bool:
    """Whether a step has no weights but frozen ones, and draws nothing while others train."""
    for part in step.modules():
        own: list[Tensor] = [*part.parameters(recurse=False)]
        own = own or [*part.buffers(recurse=False)]
        if own and id(part) not in resting:
            return False
        if isinstance(part, nn.Dropout) and part.p > 0:
            return False
        if getattr(part, "drop_prob", None):  # timm's DropPath
            return False
    return True
