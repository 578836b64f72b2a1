"""Owns several classifiers that are asked about one picture, each as it knows pictures.

Enters: pictures of any size, normalised for the network that asks. Leaves: the mean of the members'
logits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from brainlens.data.preprocess import Preprocessing


class Member(nn.Module):
    """A classifier, shown pictures at its size, x * scale + shift in each channel; final."""

    scale: Tensor  # (3, 1, 1)
    shift: Tensor

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        self.network, self.size = network, size
        self.register_buffer("scale", torch.ones(3, 1, 1))
        self.register_buffer("shift", torch.zeros(3, 1, 1))

    def introduce(self, asked: Preprocessing, own: Preprocessing) -> None:
        """Say how the pictures will be normalised, and how the classifier knows them."""
        mean, std = torch.tensor(own.mean), torch.tensor(own.std)
        self.scale = (torch.tensor(asked.std) / std)[:, None, None]
        self.shift = ((torch.tensor(asked.mean) - mean) / std)[:, None, None]

    def forward(self, x: Tensor) -> Tensor:
        """(N, K) of (N, 3, H, W)."""
        small = F.interpolate(x, (self.size, self.size), mode="bilinear")
        said: Tensor = self.network(small * self.scale + self.shift)
        return said


class Committee(nn.Module):
    """Some members; final."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        """(N, K) of (N, 3, H, W)."""
        return torch.stack([member(x) for member in self.members]).mean(0)
