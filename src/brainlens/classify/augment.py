"""Owns augmentation: batches of training pictures as tensors, changed in a few passes.

Enters and leaves: (N, 1, H, W) float in 0..1; further channels (outlines) are moved along with the
picture and not toned. Never applied to validation or test. What happens to sample i depends on its
own seed alone, whatever the batch. All geometry is one resampling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from brainlens.core.seeding import derive


@dataclass(frozen=True)
class Strength:
    """How far a policy goes; zero leaves that change out."""

    flip: float = 0.0  # chance of a left-right mirror
    flip_vertical: float = 0.0  # chance
    rotate: float = 0.0  # degrees, either way
    quarter_turns: bool = False  # any of the four
    scale: float = 0.0  # log range, either way
    shift: float = 0.0  # share of the side, either way
    close: float = 0.0  # chance of a close-up of any part, up to `_CLOSE` times larger
    gamma: float = 0.0  # log range, either way
    curve: float = 0.0  # of full scale, either way: how far each of four levels is moved
    contrast: float = 0.0  # log range, either way
    brightness: float = 0.0  # of full scale, either way
    bias: float = 0.0  # log range of a smooth field (coil sensitivity)
    keep_white: bool = False  # what goes beyond white is scaled back with the rest, not cut off
    noise: float = 0.0  # largest standard deviation, of full scale
    blur: float = 0.0  # chance of a 3x3 box blur
    invert: float = 0.0  # chance of a negative
    erase: float = 0.0  # chance of a grey rectangle


_STRONG = Strength(
    flip=0.5, rotate=25, scale=0.2, shift=0.1, gamma=0.4, contrast=0.3, brightness=0.1, bias=0.3,
    noise=0.05, blur=0.2, erase=0.25,
)  # fmt: skip
# For the dense head: contrast, scanner and framing are no clues.
_HARD = Strength(
    flip=0.5, flip_vertical=0.1, rotate=25, scale=0.25, shift=0.1, close=0.35, gamma=0.6,
    contrast=0.4, brightness=0.1, bias=0.5, noise=0.06, blur=0.25, invert=0.08,
)  # fmt: skip
POLICIES: dict[str, Strength | None] = {
    "none": None,
    "flips": Strength(flip=0.5, flip_vertical=0.5, quarter_turns=True),  # seeds B and C
    "light": Strength(
        flip=0.5, rotate=15, scale=0.12, shift=0.06, gamma=0.2, contrast=0.15, brightness=0.05
    ),
    "strong": _STRONG,
    "hard": _HARD,
    # Scans of another weighting: what is bright in one is dark in the next.
    "contrasts": replace(_STRONG, curve=0.3, keep_white=True, invert=0.05),
    "hard-contrasts": replace(_HARD, curve=0.3, keep_white=True),
}

_DRAWS = 28  # uniform numbers a sample; a new change takes the next free column
_CLOSE = math.log(2.2)
_COARSE = 56  # cells a side: the brightest is no single pixel


def augment(
    pictures: Tensor, seeds: Sequence[int], strength: Strength | None, whole: Tensor | None = None
) -> Tensor:
    """Change each picture by its own seed. (N, 1 or more, H, W) in 0..1, in and out.

    `whole` (N,) bool: no close-up of these, since what they show might be cut off.
    """
    if strength is None:
        return pictures
    draws = np.stack([np.random.default_rng(seed).random(_DRAWS) for seed in seeds])
    u = torch.from_numpy(draws.astype(np.float32)).to(pictures.device)  # (N, 28) in 0..1
    if whole is not None:
        u[whole, 22] = 1.0
    moved = _geometry(pictures, u, strength)
    toned = _tone(moved[:, :1], u, strength)
    seen = _degrade(toned, u, seeds, strength).clamp_(0, 1)
    return torch.cat([seen, moved[:, 1:]], 1) if moved.shape[1] > 1 else seen


def sample_seeds(
    seed: int, epoch: int, samples: Sequence[int], turns: Sequence[int] | None = None
) -> list[int]:
    """One seed a sample, from the run's seed, the epoch, the sample's number and its turn."""
    pairs = zip(samples, turns or [0] * len(samples), strict=True)
    return [derive(seed, "augment", epoch, turn, int(sample)) for sample, turn in pairs]


def _signed(u: Tensor, column: int) -> Tensor:
    """A column of draws as numbers in -1..1."""
    return u[:, column] * 2 - 1


def _geometry(pictures: Tensor, u: Tensor, s: Strength) -> Tensor:
    """Mirror, turn, scale and shift in one bilinear resampling; outside is black."""
    angle = _signed(u, 0) * math.radians(s.rotate)
    if s.quarter_turns:
        angle = angle + torch.floor(u[:, 1] * 4) * (math.pi / 2)
    zoom = torch.exp(_signed(u, 2) * s.scale)
    near = torch.where(u[:, 22] < s.close, torch.exp(u[:, 23] * _CLOSE), 1.0)
    away = 2 * s.shift + (1 - 1 / near)  # a close-up may be of any part
    zoom = zoom * near
    across = torch.where(u[:, 3] < s.flip, -1.0, 1.0) / zoom
    down = torch.where(u[:, 4] < s.flip_vertical, -1.0, 1.0) / zoom
    cos, sin = torch.cos(angle), torch.sin(angle)
    matrix = torch.stack(
        [
            torch.stack([cos * across, -sin * down, _signed(u, 5) * away], 1),
            torch.stack([sin * across, cos * down, _signed(u, 6) * away], 1),
        ],
        1,
    )  # (N, 2, 3)
    grid = F.affine_grid(matrix, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", align_corners=False)


def _tone(pictures: Tensor, u: Tensor, s: Strength) -> Tensor:
    """Gamma, a curve, contrast, brightness, a smooth bias field, and the negative."""

    def each(column: Tensor) -> Tensor:
        return column[:, None, None, None]

    toned = pictures.clamp(1e-4, 1)
    if s.gamma:
        toned = toned ** each(torch.exp(_signed(u, 7) * s.gamma))
    if s.curve:
        toned = _curved(toned, (u[:, 24:28] * 2 - 1) * s.curve).clamp(1e-4, 1)
    if s.bias:
        corners = (u[:, 12:16].reshape(-1, 1, 2, 2) * 2 - 1) * s.bias
        field = F.interpolate(corners, toned.shape[2:], mode="bilinear", align_corners=True)
        toned = toned * torch.exp(field)
    if s.contrast or s.brightness:
        factor = each(torch.exp(_signed(u, 8) * s.contrast))
        toned = toned * factor + each(_signed(u, 9) * s.brightness) * (pictures > 0.02)
    if s.keep_white:
        white = F.adaptive_avg_pool2d(toned, _COARSE).amax((1, 2, 3))
        toned = toned / each(white.clamp(min=1))
    if s.invert:
        toned = torch.where(each(u[:, 10]) < s.invert, 1 - toned, toned)
    return toned


def _curved(pictures: Tensor, moves: Tensor) -> Tensor:
    """Levels moved along straight lines between black, which stays, and four knots (N, 4)."""
    knots = F.pad(moves, (1, 0))
    place = pictures.flatten(1) * 4
    cell = place.long().clamp_(0, 3)
    low, high = knots.gather(1, cell), knots.gather(1, cell + 1)
    return pictures + (low + (high - low) * (place - cell)).view(pictures.shape)


def _degrade(pictures: Tensor, u: Tensor, seeds: Sequence[int], s: Strength) -> Tensor:
    """Blur, noise and a grey rectangle."""
    if s.blur:
        chosen = u[:, 11] < s.blur
        pictures[chosen] = F.avg_pool2d(pictures[chosen], 3, 1, 1, count_include_pad=False)
    if s.noise:
        noise = np.stack(
            [
                np.random.default_rng([seed, 1]).standard_normal(pictures.shape[1:], np.float32)
                for seed in seeds
            ]
        )
        level = u[:, 16] * s.noise
        pictures = pictures + torch.from_numpy(noise).to(u.device) * level[:, None, None, None]
    if s.erase:
        height, width = pictures.shape[2:]
        for i in torch.nonzero(u[:, 17] < s.erase).flatten().tolist():
            h, w = (int(side * (0.08 + 0.17 * u[i, 18])) for side in (height, width))
            top, left = int((height - h) * u[i, 19]), int((width - w) * u[i, 20])
            pictures[i, :, top : top + h, left : left + w] = u[i, 21] * 0.5
    return pictures
