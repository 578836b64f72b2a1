"""Owns a backbone as a row of steps, input first: where it can be cut, and its maps by resolution.

Enters: a backbone and pictures. Leaves: the steps, what they make of the pictures, and the last
feature map of each resolution, as a pyramid needs them. Also which steps two backbones share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

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

_ROUNDING = 0.02  # of a map's spread: what weights kept in 16 bits may change


def stages(backbone: nn.Module) -> list[nn.Module]:
    """The backbone's modules, one after the other."""
    inner: Any = getattr(backbone, "network", backbone)
    if isinstance(inner, nn.Sequential):
        return [*inner]
    names = FAMILIES.get(type(inner).__name__, ())
    # A family without a row is one step: its features can be kept, its inside not be cut.
    return [part for name in names for part in _flat(getattr(inner, name))] or [backbone]


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


@torch.no_grad()
def tie(own: Sequence[nn.Module], others: Sequence[nn.Module], x: Tensor) -> int:
    """Give the others' first steps the own's weights as far as both make the same of `x`.

    First stages that no training moved differ by rounding alone; made equal to the bit, an export
    works them out once. Answers how many steps that is.
    """
    same, ours, theirs = 0, x, x
    for number, (step, other) in enumerate(zip(own, others, strict=False), 1):
        ours, theirs = step(ours), other(theirs)
        if type(step) is not type(other) or ours.shape != theirs.shape:
            break
        if (ours - theirs).abs().max() <= _ROUNDING * ours.std():
            same = number
    for step, other in zip(own[:same], others[:same], strict=True):
        other.load_state_dict(step.state_dict())
    return same


def pyramid(row: Sequence[nn.Module], x: Tensor, levels: int = 3) -> list[Tensor]:
    """The last maps of the `levels` coarsest resolutions, coarsest first, each (N, C, h, w)."""
    last: dict[int, Tensor] = {}
    for step in row:
        x = step(x)
        last[int(x.shape[-1])] = x
    return [last[side] for side in sorted(last)[:levels]]
