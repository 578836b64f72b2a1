"""Owns a faster pass of RRDB blocks on CPUs: Winograd's minimal filtering F(4x4, 3x3).

Lavin and Gray 2015 (arXiv 1509.09308): a 3x3 convolution in the transformed domain takes a quarter
of the multiplications. In a dense block every map is read by up to five convolutions, yet it is
transformed once, into its place behind those before it. Equal to the plain pass but for rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from brainlens.generative.rrdb import DenseBlock, RRDBNet

_STEP, _TILE = 4, 6  # outputs a side of one tile, and the inputs that they need
_B = torch.tensor(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    dtype=torch.float64,
)
_G = torch.tensor(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    dtype=torch.float64,
)
_A = torch.tensor(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    dtype=torch.float64,
)
_INPUT = torch.kron(_B, _B).float()  # (36, 36): a 6 x 6 tile to its transform
_OUTPUT = torch.kron(_A, _A).float()  # (16, 36): a transform to 4 x 4 outputs


def transformed(weight: Tensor) -> Tensor:
    """(O, I, 3, 3) weights as (36, I, O)."""
    kernel = torch.kron(_G, _G) @ weight.double().flatten(2).permute(2, 1, 0).flatten(1)
    return kernel.float().reshape(36, weight.shape[1], weight.shape[0]).contiguous()


@dataclass(frozen=True)
class Grid:
    """A map (H, W, C) cut into tiles of 4 x 4 outputs; what lies beyond H and W is kept at zero."""

    height: int
    width: int

    @property
    def rows(self) -> int:
        return -(-self.height // _STEP)

    @property
    def columns(self) -> int:
        return -(-self.width // _STEP)

    @property
    def tiles(self) -> int:
        return self.rows * self.columns

    def forward(self, x: Tensor, into: Tensor) -> None:
        """Transform (H, W, C) into (36, T, C), a slice of a wider buffer."""
        channels = x.shape[2]
        below = self.rows * _STEP - self.height + 1
        right = self.columns * _STEP - self.width + 1
        padded = F.pad(x, (0, 0, 1, right, 1, below))
        line, point, _ = padded.stride()
        tiles = padded.as_strided(
            (_TILE, _TILE, self.rows, self.columns, channels),
            (line, point, _STEP * line, _STEP * point, 1),
        )
        flat = _INPUT @ tiles.reshape(36, -1)
        into.copy_(flat.view(36, self.tiles, channels))

    def back(self, products: Tensor, bias: Tensor) -> Tensor:
        """(36, T, O) to (H, W, O), bias added."""
        outputs = products.shape[2]
        flat = _OUTPUT @ products.reshape(36, -1)
        tiles = flat.view(_STEP, _STEP, self.rows, self.columns, outputs)
        whole = tiles.permute(2, 0, 3, 1, 4).reshape(
            self.rows * _STEP, self.columns * _STEP, outputs
        )
        return whole[: self.height, : self.width] + bias


class FastBlock:
    """One dense block in the transformed domain; final."""

    def __init__(self, block: DenseBlock) -> None:
        convolutions = [getattr(block, f"conv{k + 1}") for k in range(5)]
        self.kernels = [transformed(one.weight.detach()) for one in convolutions]
        self.biases = [one.bias.detach() for one in convolutions]

    def __call__(self, x: Tensor, grid: Grid, seen: Tensor) -> Tensor:
        """(H, W, C) to (H, W, C); `seen` is the (36, T, C + 4 growth) buffer."""
        new, filled = x, 0
        for k in range(5):
            grid.forward(new, seen[:, :, filled : filled + new.shape[2]])
            filled += new.shape[2]
            new = grid.back(torch.bmm(seen[:, :, :filled], self.kernels[k]), self.biases[k])
            if k < 4:
                F.leaky_relu(new, 0.2, inplace=True)
        return torch.add(x, new, alpha=0.2)


class FastNetwork:
    """An RRDBNet whose body runs in the transformed domain, for CPUs and inference; final."""

    def __init__(self, network: RRDBNet) -> None:
        self.network = network
        self.blocks = [
            [FastBlock(getattr(one, name)) for name in ("rdb1", "rdb2", "rdb3")]
            for one in network.body
        ]
        self.width = self.blocks[0][0].kernels[4].shape[1]  # channels that conv5 reads

    def __call__(self, x: Tensor) -> Tensor:
        """(1, C, H, W) to (1, C, sH, sW)."""
        first = self.network.conv_first(x)
        return self.network.enlarge(first, self.body(first))

    def body(self, first: Tensor) -> Tensor:
        """All blocks, (1, F, H, W) to the same."""
        h = first[0].permute(1, 2, 0).contiguous()  # (H, W, F)
        grid = Grid(h.shape[0], h.shape[1])
        seen = torch.empty(36, grid.tiles, self.width)
        for block in self.blocks:
            inner = h
            for dense in block:
                inner = dense(inner, grid, seen)
            h = torch.add(h, inner, alpha=0.2)
        return h.permute(2, 0, 1)[None]
