"""Owns 5 x 5 convolutions as one matrix product: what a processor does better on small maps.

A library's convolution is made for wide maps; on 8 x 8 pixels of many channels a product of the
unrolled windows takes a fifth (gradient of the weights) to two thirds (forward) of its time.
Windows of stride S, padded by 2. Unrolling and folding are each other's transpose, so each is the
other's gradient.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SIDE, _PAD = 5, 2
SMALL = 8  # pixels a side of the smaller map up to which the product is the faster one


class Windows(nn.Conv2d):
    """A 5 x 5 convolution, padded by 2; final."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, _SIDE, stride, padding=_PAD)

    def forward(self, x: Tensor) -> Tensor:
        side = x.shape[2] // self.stride[0]
        if x.device.type != "cpu" or side > SMALL:
            return super().forward(x)
        assert self.bias is not None
        x, weight, bias = _cast(x, self.weight, self.bias)
        rows = weight.permute(0, 2, 3, 1).flatten(1)  # (outputs, 25 inputs)
        windows: Tensor = _Unroll.apply(x, self.stride[0])
        made = windows @ rows.mT  # (N * side * side, outputs)
        return (made + bias).view(len(x), side, side, -1).permute(0, 3, 1, 2)


class Doubling(nn.ConvTranspose2d):
    """A 5 x 5 transposed convolution that doubles the side; final."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, _SIDE, stride=2, padding=_PAD, output_padding=1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if x.device.type != "cpu" or x.shape[2] > SMALL:
            return super().forward(x, output_size)
        assert self.bias is not None
        x, weight, bias = _cast(x, self.weight, self.bias)
        columns = weight.permute(0, 2, 3, 1).flatten(1)  # (inputs, 25 outputs)
        windows = x.permute(0, 2, 3, 1).flatten(0, 2) @ columns  # (N * h * w, 25 outputs)
        folded: Tensor = _Fold.apply(windows, (len(x), 2 * x.shape[2], 2 * x.shape[3]), 2)
        return folded + bias[:, None, None]


def _cast(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All in the number format that autocast asks for here, as its own convolutions would be."""
    kind = x.device.type
    number = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
    return x.to(number), weight.to(number), bias.to(number)


def unroll(x: Tensor, stride: int) -> Tensor:
    """(N * h/S * w/S, 25 C) of (N, C, h, w): each window in a row, its pixels' channels in turn."""
    count, channels, height, width = x.shape
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, _PAD, _PAD, _PAD, _PAD))  # (N, h+4, w+4, C)
    line = padded.shape[2] * channels
    rows = padded.as_strided(
        (count, height // stride, width // stride, _SIDE, _SIDE * channels),
        (padded.shape[1] * line, stride * line, stride * channels, line, 1),
    )
    return rows.reshape(-1, _SIDE * _SIDE * channels)


def fold(windows: Tensor, shape: tuple[int, int, int], stride: int) -> Tensor:
    """(N, C, h, w) of windows as `unroll` lays them: the sum where they overlap."""
    count, height, width = shape
    parts = windows.view(count, height // stride, width // stride, _SIDE, _SIDE, -1)
    extra = _SIDE - 1  # pixels of padding, on both sides together
    out = windows.new_zeros(count, height + extra, width + extra, parts.shape[5])
    for i in range(_SIDE):
        for j in range(_SIDE):
            out[:, i : i + height : stride, j : j + width : stride] += parts[:, :, :, i, j]
    return out[:, _PAD:-_PAD, _PAD:-_PAD].permute(0, 3, 1, 2)


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: int) -> Tensor:
        ctx.shape, ctx.stride = (len(x), *x.shape[2:]), stride
        return unroll(x, stride)

    @staticmethod
    def backward(ctx: Any, *down: Tensor) -> tuple[Tensor, None]:
        return fold(down[0].contiguous(), ctx.shape, ctx.stride), None


class _Fold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, windows: Tensor, shape: tuple[int, int, int], stride: int) -> Tensor:
        ctx.stride = stride
        return fold(windows, shape, stride)

    @staticmethod
    def backward(ctx: Any, *down: Tensor) -> tuple[Tensor, None, None]:
        return unroll(down[0], ctx.stride), None, None
