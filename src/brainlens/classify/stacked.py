"""Owns the optimizers for stacked heads: torch's update rules with a rate of its own for each head.

Enters: a weight (S, V, ...) and its gradient, changed in place. Every head keeps its own learning
rate, so heads of several rates share one tensor. Rules and defaults are torch.optim's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

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

    def of(self, name: str, weight: Tensor) -> Tensor:
        """The numbers in a shape that multiplies a weight's heads."""
        numbers: Tensor = getattr(self, name)
        return numbers.view(*numbers.shape, *[1] * (weight.ndim - 2))


def _plateau(config: TrainConfig) -> torch.optim.lr_scheduler.ReduceLROnPlateau:
    """torch's own schedule of one head, on a stand-in."""
    stand_in = torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate)
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        stand_in, mode="min" if config.monitor == "val_loss" else "max",
        factor=config.plateau_factor, patience=config.plateau_patience,
    )  # fmt: skip


def _decayed(w: Tensor, g: Tensor, rates: Rates) -> Tensor:
    """The gradient with weight decay in it (L2)."""
    return torch.addcmul(g, w, rates.of("decay", w)) if rates.decay.any() else g


def _zeros(state: State, w: Tensor, *names: str) -> list[Tensor]:
    return [state.setdefault(name, torch.zeros_like(w)) for name in names]


@torch.no_grad()
def sgd(w: Tensor, g: Tensor, state: State, rates: Rates, step: int) -> None:
    """Momentum without dampening."""
    g = _decayed(w, g, rates)
    if rates.momentum.any():
        if "buffer" in state:
            state["buffer"].mul_(rates.of("momentum", w)).add_(g)
        else:
            state["buffer"] = g.clone()
        g = state["buffer"]
    w.sub_(g * rates.of("rate", w))


@torch.no_grad()
def adam(w: Tensor, g: Tensor, state: State, rates: Rates, step: int) -> None:
    """Kingma and Ba (2015), decay as L2."""
    _moments(w, _decayed(w, g, rates), state, rates, step)


@torch.no_grad()
def adamw(w: Tensor, g: Tensor, state: State, rates: Rates, step: int) -> None:
    """Loshchilov and Hutter (2019): decay beside the gradient."""
    w.mul_(1 - rates.of("rate", w) * rates.of("decay", w))
    _moments(w, g, state, rates, step)


def _moments(w: Tensor, g: Tensor, state: State, rates: Rates, step: int) -> None:
    mean, square = _zeros(state, w, "mean", "square")
    mean.lerp_(g, 0.1)
    square.mul_(0.999).addcmul_(g, g, value=0.001)
    size = square.sqrt().div_(math.sqrt(1 - 0.999**step)).add_(1e-8)
    w.sub_(torch.div(mean, size, out=size).mul_(rates.of("rate", w) / (1 - 0.9**step)))


@torch.no_grad()
def adagrad(w: Tensor, g: Tensor, state: State, rates: Rates, step: int) -> None:
    """Duchi, Hazan and Singer (2011)."""
    g = _decayed(w, g, rates)
    (total,) = _zeros(state, w, "total")
    total.addcmul_(g, g)
    w.sub_(torch.div(g, total.sqrt().add_(1e-10)).mul_(rates.of("rate", w)))


@torch.no_grad()
def adadelta(w: Tensor, g: Tensor, state: State, rates: Rates, step: int) -> None:
    """Zeiler (2012), rho 0.9."""
    g = _decayed(w, g, rates)
    square, moved = _zeros(state, w, "square", "moved")
    square.mul_(0.9).addcmul_(g, g, value=0.1)
    delta = (moved + 1e-6).sqrt_().div_((square + 1e-6).sqrt_()).mul_(g)
    moved.mul_(0.9).addcmul_(delta, delta, value=0.1)
    w.sub_(delta.mul_(rates.of("rate", w)))


OPTIMIZERS: dict[str, Callable[[Tensor, Tensor, State, Rates, int], None]] = {
    "adam": adam, "adamw": adamw, "sgd": sgd, "adagrad": adagrad, "adadelta": adadelta,
}  # fmt: skip
