"""Owns the costly product of stacked heads: every stream's features by its heads' first weights.

Enters: weights (S, V, units, D) and each stream's features (S, B, D). Leaves: (S, V * units, B),
and in the backward pass the weights' gradient in the weights' own layout, by one plain matrix
product a stream.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Product(torch.autograd.Function):
    """`weights @ x` stream by stream; x is data and gets no gradient."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        ctx.shape = weights.shape
        made = x.new_empty(len(x), weights.shape[1] * weights.shape[2], x.shape[1])
        for own, rows, out in zip(weights, x, made, strict=True):
            torch.mm(own.flatten(0, 1), rows.mT, out=out)
        return made

    @staticmethod
    def backward(ctx: Any, *down: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        gradient = x.new_empty(ctx.shape)
        for own, rows, out in zip(down[0], x, gradient, strict=True):
            torch.mm(own, rows, out=out.flatten(0, 1))
        return gradient, None


def first_product(weights: Tensor, x: Tensor) -> Tensor:
    """(S, V * units, B) of weights (S, V, units, D) and features (S, B, D)."""
    made: Tensor = _Product.apply(weights, x)
    return made


def gather(views: list[Tensor], picks: list[Tensor]) -> Tensor:
    """(S, B, D): each stream's own rows of its own features."""
    first = views[0]
    x = first.new_empty(len(views), len(picks[0]), first.shape[1])
    for view, rows, out in zip(views, picks, x, strict=True):
        torch.index_select(view, 0, rows, out=out)
    return x
