"""Owns the step of heads that see the same batches: forward, and the gradients.

Enters: their parameters, a head in a row (V, P), and batches (B, D). Leaves: logits (V, K, B), and
gradients in rows like them. The derivatives are written out: autograd's bookkeeping would cost more
than the small layers' work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor

from brainlens.classify.network import ACTIVATIONS


@dataclass(frozen=True)
class Target:
    """What a batch's loss wants: its gradient by the logits is softmax * mass - share."""

    mass: Tensor  # (B,)
    share: Tensor  # (K, B)


class Targets:
    """Of every training sample; weights `balance` (K,) of the classes, smoothed; final."""

    def __init__(self, classes: Tensor, balance: Tensor, smoothing: float) -> None:
        wanted = F.one_hot(classes, len(balance)) * (1 - smoothing) + smoothing / len(balance)
        self.share = wanted * balance  # (N, K)
        self.mass = self.share.sum(1)
        self.weight = balance[classes]

    def of(self, samples: Tensor) -> Target:
        """Those of one batch, whose loss is the mean by the weights of its samples' classes."""
        whole = self.weight[samples].sum()
        share = self.share[samples] / whole
        return Target(self.mass[samples] / whole, share.mT.contiguous())


@dataclass(frozen=True)
class Layout:
    """Where in a head's row its parameters lie, in a Classifier's order."""

    shapes: tuple[tuple[int, ...], ...]

    @property
    def length(self) -> int:
        """Numbers a row; whole lines of the cache."""
        return -(-sum(map(math.prod, self.shapes)) // 16) * 16

    def views(self, rows: Tensor) -> list[Tensor]:
        """Of rows (..., P): each parameter (..., *shape)."""
        found, start = [], 0
        for shape in self.shapes:
            own = rows[..., start : start + math.prod(shape)]
            found.append(own.view(*own.shape[:-1], *shape))
            start += math.prod(shape)
        return found


class Variants:
    """Heads side by side; what `descend` writes lies in `gradients` (V, P); final."""

    def __init__(self, layout: Layout, rows: Tensor, activations: Sequence[str]) -> None:
        self.gradients = torch.zeros_like(rows)
        own, down = layout.views(rows), layout.views(self.gradients)
        self.layers = list(zip(own[::2], own[1::2], strict=True))
        self.down = list(zip(down[::2], down[1::2], strict=True))
        self.first = list(zip(own[0].unbind(), down[0].unbind(), strict=True))
        self.runs: list[tuple[str, slice]] = []  # neighbours of one activation
        for name, places in groupby(range(len(activations)), lambda v: activations[v]):
            own_places = list(places)
            self.runs.append((name, slice(own_places[0], own_places[-1] + 1)))

    def logits(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(V, K, B) of (B, D); `mask` is dropout's factors before the last layer."""
        return self._forward(x, mask)[0]

    def descend(self, x: Tensor, mask: Tensor, target: Target) -> None:
        """The gradients of each head's own loss. `mask`: (V, units, B), or (V, D, B)."""
        logits, given, made = self._forward(x, mask)
        down = logits.softmax(1).mul_(target.mass).sub_(target.share)  # (V, K, B)
        last = len(self.layers) - 1
        for place in range(last, 0, -1):
            torch.bmm(down, given[place].mT, out=self.down[place][0])
            torch.sum(down, 2, out=self.down[place][1])
            down = torch.bmm(self.layers[place][0].mT, down)
            if place == last:
                down.mul_(mask)
            for name, own in self.runs:
                _SLOPES[name](down[own], made[place][own])
        weight, bias = self.down[0]
        torch.sum(down, 2, out=bias)
        if last:
            for (_, gradient), own_down in zip(self.first, down, strict=True):
                torch.mm(own_down, x, out=gradient)
        else:
            torch.bmm(down, given[0].mT, out=weight)

    def _forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Logits; what each layer was given, and that before dropout."""
        (weight, bias), *others = self.layers
        if mask is not None and not others:  # no hidden layer: dropout stands before the product
            x = x.mT * mask  # (V, D, B)
            return torch.baddbmm(bias[:, :, None], weight, x), [x], [x]
        h, turned = x.new_empty(*bias.shape, len(x)), x.mT.contiguous()  # (V, units, B), (D, B)
        for (own_weight, _), out in zip(self.first, h, strict=True):
            torch.mm(own_weight, turned, out=out)
        h.add_(bias[:, :, None])
        given, made = [x], [x]
        for place, (weight, bias) in enumerate(others):
            for name, own in self.runs:
                _TURNS[name](h[own])
            made.append(h)
            if mask is not None and place == len(others) - 1:
                h = h * mask
            given.append(h)
            h = torch.baddbmm(bias[:, :, None], weight, h)
        return h, given, made


# Activations in place, and the gradient through them, in place, by what came out.
_TURNS: dict[str, Callable[[Tensor], object]] = {
    "relu": torch.relu_, "elu": F.elu_, "tanh": torch.tanh_,
}  # fmt: skip
_SLOPES: dict[str, Callable[[Tensor, Tensor], object]] = {
    "relu": lambda down, out: down.mul_(out > 0),
    "elu": lambda down, out: down.mul_(out.clamp(max=0).add_(1)),  # exp(h) = out + 1 below 0
    "tanh": lambda down, out: down.addcmul_(down, out.square(), value=-1),
}
assert _TURNS.keys() == _SLOPES.keys() == ACTIVATIONS.keys()
