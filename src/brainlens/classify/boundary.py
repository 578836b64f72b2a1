"""Owns where the frozen part of a classifier ends: the network as a row of steps, and a cut in it.

Enters: a classifier and what it trains. Leaves: how many leading steps never change and draw no
random numbers, so that their output can be computed once; and the way through the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from torch import Tensor, nn

from brainlens.classify.augment import POLICIES
from brainlens.classify.config import TrainConfig
from brainlens.classify.network import Classifier

# The parts of each family in their order, as its forward_features calls them; a Sequential among
# them counts as many steps as it has parts.
FAMILIES: dict[str, tuple[str, ...]] = {
    "EfficientNet": ("conv_stem", "bn1", "blocks", "conv_head", "bn2"),
    "VGG": ("features",),
    "DenseNet": ("features",),
    "InceptionV3": (
        "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Pool1", "Conv2d_3b_1x1",
        "Conv2d_4a_3x3", "Pool2", "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b",
        "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c",
    ),
}  # fmt: skip


def steps(network: Classifier) -> list[nn.Module]:
    """The backbone's modules, one after the other, and the pooling; the head follows."""
    inner: Any = getattr(network.backbone, "network", network.backbone)
    if isinstance(inner, nn.Sequential):
        return [*inner, nn.Sequential(network.pool, nn.Flatten())]
    names = FAMILIES.get(type(inner).__name__, ())
    parts = [part for name in names for part in _flat(getattr(inner, name))]
    # A family without a row is one step: its features can be kept, its inside not be cut.
    return [*(parts or [network.backbone]), nn.Sequential(network.pool, nn.Flatten())]


def _flat(module: nn.Module) -> list[nn.Module]:
    """A Sequential's parts, and theirs; any other module is one."""
    if type(module) is not nn.Sequential:
        return [module]
    return [part for child in module for part in _flat(child)]


def advance(row: Sequence[nn.Module], x: Tensor) -> Tensor:
    """What the steps make of `x`."""
    for step in row:
        x = step(x)
    return x


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
        own = list(part.parameters(recurse=False)) or list(part.buffers(recurse=False))
        if own and id(part) not in resting:
            return False
        if isinstance(part, nn.Dropout) and part.p > 0:
            return False
        if getattr(part, "drop_prob", None):  # timm's DropPath
            return False
    return True
