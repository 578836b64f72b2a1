"""Owns the optimizers for stacked heads: torch's update rules with a rate of its own for each head.

Enters: a weight (S, V, ...) and its gradient, changed in place. Every head keeps its own learning
rate, so heads of several rates share one tensor. Rules and defaults are torch.optim's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from brainlens.classify.config import TrainConfig

State = dict[str, Tensor]


class Rates:
    """The heads' own numbers: learning rate (falling on a plateau), weight decay, momentum."""

    def __init__(self, configs: Sequence[TrainConfig], grid: tuple[int, int]) -> None:
        def each(name: str) -> Tensor:
            return torch.tensor([getattr(c, name) for c in configs]).view(grid)

        self.base, self.decay, self.momentum = map(
            each, ("learning_rate", "weight_decay", "momentum")
        )
        self.rate = self.base.clone()
        self.plateaus: list[torch.optim.lr_scheduler.ReduceLROnPlateau] = []
        if configs[0].schedule == "plateau":
            self.plateaus = [_plateau(config) for config in configs]

    def set_share(self, share: float) -> None:
        """Every head at this share of its own rate."""
        self.rate = self.base * share

    def end_epoch(self, values: Tensor) -> None:
        """Let the rate of each head fall whose monitored value no longer improves."""
        if self.plateaus:
            for plateau, value in zip(self.plateaus, values.flatten().tolist(), strict=True):
                plateau.step(value)
            rates = [plateau.optimizer.param_groups[0]["lr"] for plateau in self.plateaus]
            self.rate = torch.tensor(rates).view(self.rate.shape)

    def numbers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Rate, decay and momentum, each (S, V)."""
        return self.rate, self.decay, self.momentum


def _plateau(config: TrainConfig) -> torch.optim.lr_scheduler.ReduceLROnPlateau:
    """torch's own schedule of one head, on a stand-in."""
    stand_in = torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate)
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        stand_in, mode="min" if config.monitor == "val_loss" else "max",
        factor=config.plateau_factor, patience=config.plateau_patience,
    )  # fmt: skip


def advance(
    names: Sequence[str], w: Tensor, g: Tensor, state: State, rates: Rates, step: int
) -> None:
    """One step of a weight (S, V, ...) with its gradient; `names` has each variant's rule.

    Large weights go head by head: what one rule reads and writes then stays in the processor.
    """
    if not state:
        state |= {name: torch.zeros_like(w) for name in ("first", "second")}
    for v, name in enumerate(names):
        rule = OPTIMIZERS[name]
        large = w[0, v].numel() > _LARGE
        for place in [(s, v) for s in range(len(w))] if large else [(slice(None), v)]:
            shape = (-1, *[1] * (w.ndim - 2)) if not large else ()
            rate, decay, momentum = (n[place].reshape(shape) for n in rates.numbers())
            own = Numbers(rate, decay, momentum, step)
            rule(w[place], g[place], state["first"][place], state["second"][place], own)


_LARGE = 4096  # numbers a head


@dataclass(frozen=True)
class Numbers:
    """What a rule multiplies with: one number a head."""

    rate: Tensor
    decay: Tensor
    momentum: Tensor
    step: int


@torch.no_grad()
def sgd(w: Tensor, g: Tensor, moved: Tensor, _: Tensor, own: Numbers) -> None:
    """Momentum without dampening."""
    moved.mul_(own.momentum).add_(torch.addcmul(g, w, own.decay))
    w.sub_(moved * own.rate)


@torch.no_grad()
def adam(w: Tensor, g: Tensor, mean: Tensor, square: Tensor, own: Numbers) -> None:
    """Kingma and Ba (2015), decay as L2."""
    _moments(w, torch.addcmul(g, w, own.decay), mean, square, own)


@torch.no_grad()
def adamw(w: Tensor, g: Tensor, mean: Tensor, square: Tensor, own: Numbers) -> None:
    """Loshchilov and Hutter (2019): decay beside the gradient."""
    w.mul_(1 - own.rate * own.decay)
    _moments(w, g, mean, square, own)


def _moments(w: Tensor, g: Tensor, mean: Tensor, square: Tensor, own: Numbers) -> None:
    mean.lerp_(g, 0.1)
    square.mul_(0.999).addcmul_(g, g, value=0.001)
    size = square.sqrt().div_(math.sqrt(1 - 0.999**own.step)).add_(1e-8)
    w.sub_(torch.div(mean, size, out=size).mul_(own.rate / (1 - 0.9**own.step)))


@torch.no_grad()
def adagrad(w: Tensor, g: Tensor, total: Tensor, _: Tensor, own: Numbers) -> None:
    """Duchi, Hazan and Singer (2011)."""
    g = torch.addcmul(g, w, own.decay)
    total.addcmul_(g, g)
    w.sub_(torch.div(g, total.sqrt().add_(1e-10)).mul_(own.rate))


@torch.no_grad()
def adadelta(w: Tensor, g: Tensor, square: Tensor, moved: Tensor, own: Numbers) -> None:
    """Zeiler (2012), rho 0.9."""
    g = torch.addcmul(g, w, own.decay)
    square.mul_(0.9).addcmul_(g, g, value=0.1)
    delta = (moved + 1e-6).sqrt_().div_((square + 1e-6).sqrt_()).mul_(g)
    moved.mul_(0.9).addcmul_(delta, delta, value=0.1)
    w.sub_(delta.mul_(own.rate))


OPTIMIZERS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor, Numbers], None]] = {
    "adam": adam, "adamw": adamw, "sgd": sgd, "adagrad": adagrad, "adadelta": adadelta,
}  # fmt: skip
