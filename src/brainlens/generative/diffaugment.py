"""Owns DiffAugment (Zhao et al. 2020, arXiv 2006.10738): changes that gradients pass through.

Real and generated pictures are both changed before the critic sees them, so that it cannot learn
few real pictures by heart and the generator does not learn the changes. (N, C, H, W) in -1..1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_BRIGHTER, _CONTRAST = 0.5, (0.5, 1.5)  # the authors'; their saturation is nothing to grey pictures
_SHIFT, _CUTOUT = 1 / 8, 1 / 2  # of the side


def diffaugment(pictures: Tensor, kinds: Sequence[str], draw: torch.Generator) -> Tensor:
    """Each picture changed by draws of its own; `draw` lives on the CPU."""
    for kind in kinds:
        pictures = CHANGES[kind](pictures, draw)
    return pictures


def _uniform(pictures: Tensor, draw: torch.Generator, columns: int) -> Tensor:
    """(N, columns) in 0..1."""
    return torch.rand(len(pictures), columns, generator=draw).to(pictures.device)


def colour(pictures: Tensor, draw: torch.Generator) -> Tensor:
    """Brightness and contrast."""
    u = _uniform(pictures, draw, 2)[:, :, None, None, None]
    brighter = pictures + (u[:, 0] - 0.5) * 2 * _BRIGHTER
    mean = brighter.mean((1, 2, 3), keepdim=True)
    return (brighter - mean) * (_CONTRAST[0] + u[:, 1] * (_CONTRAST[1] - _CONTRAST[0])) + mean


def shift(pictures: Tensor, draw: torch.Generator) -> Tensor:
    """Whole pixels up to an eighth of the side; what comes in is -1, which is black."""
    height, width = pictures.shape[2:]
    reach = round(height * _SHIFT), round(width * _SHIFT)
    u = _uniform(pictures, draw, 2)
    down, right = (
        (u[:, k] * (2 * reach[k] + 1)).floor().clamp(max=2 * reach[k]).long() for k in (0, 1)
    )
    padded = F.pad(pictures, (reach[1], reach[1], reach[0], reach[0]), value=-1.0)
    rows = down[:, None] + torch.arange(height, device=pictures.device)  # (N, H)
    columns = right[:, None] + torch.arange(width, device=pictures.device)  # (N, W)
    each = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def cutout(pictures: Tensor, draw: torch.Generator) -> Tensor:
    """A square of half the side, its middle anywhere, made grey (0)."""
    height, width = pictures.shape[2:]
    u = _uniform(pictures, draw, 2)
    rows = torch.arange(height, device=pictures.device)[None] - (u[:, :1] * height).floor()
    columns = torch.arange(width, device=pictures.device)[None] - (u[:, 1:] * width).floor()
    inside = (rows.abs() <= height * _CUTOUT / 2)[:, :, None] & (
        columns.abs() <= width * _CUTOUT / 2
    )[:, None, :]
    return pictures * (~inside)[:, None].to(pictures.dtype)


CHANGES: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "colour": colour, "shift": shift, "cutout": cutout,
}  # fmt: skip
