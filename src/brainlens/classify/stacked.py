"""Owns the optimizers for stacked heads: torch's update rules with numbers of each head's own.

Enters: stacked weights (S, V, ...) and their gradients. Leaves: the weights moved in place. Every
head keeps its own rule, learning rate, decay and momentum; those that agree in all of them at a
step move in one call. Rules and defaults are torch.optim's; its fused ones pass over a weight once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.adagrad import adagrad as torch_adagrad
from torch.optim.adam import adam as torch_adam
from torch.optim.adamw import adamw as torch_adamw
from torch.optim.sgd import sgd as torch_sgd

from brainlens.classify.config import TrainConfig


@dataclass(frozen=True)
class Numbers:
    """What a rule multiplies with, the same for all heads of a call."""

    rate: float
    decay: float
    momentum: float


@dataclass(frozen=True)
class Parts:
    """One head: its parameters, views into the stack, and what its rule remembers of each."""

    weights: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    steps: list[Tensor]  # taken so far, one a parameter: torch's fused rules count them up


class Movers:
    """The rules of all heads of a stack, in the order of their settings; final."""

    def __init__(self, configs: Sequence[TrainConfig], stack: Sequence[Tensor]) -> None:
        self.configs = configs
        self.rates = [config.learning_rate for config in configs]
        self.plateaus = (
            [_plateau(config) for config in configs] if configs[0].schedule == "plateau" else []
        )
        self.step = 0
        self.heads = [
            Parts(
                own, [torch.zeros_like(w) for w in own], [torch.zeros_like(w) for w in own],
                [torch.zeros(()) for _ in own],
            )
            for own in _by_head(weight.detach() for weight in stack)
        ]  # fmt: skip

    def move(self, gradients: Sequence[Tensor]) -> None:
        """One step of every head."""
        self.step += 1
        own = _by_head(gradient.contiguous() for gradient in gradients)
        alike = defaultdict(list)
        for head, (config, rate) in enumerate(zip(self.configs, self.rates, strict=True)):
            key = (config.optimizer, rate, config.weight_decay, config.momentum)
            alike[key].append(head)
        for (name, rate, decay, momentum), heads in alike.items():
            RULES[name](
                [w for head in heads for w in self.heads[head].weights],
                [g for head in heads for g in own[head]],
                [m for head in heads for m in self.heads[head].first],
                [m for head in heads for m in self.heads[head].second],
                [n for head in heads for n in self.heads[head].steps],
                Numbers(rate, decay, momentum),
            )

    def set_share(self, share: float) -> None:
        """Every head at this share of its own rate."""
        self.rates = [config.learning_rate * share for config in self.configs]

    def end_epoch(self, values: Tensor) -> None:
        """Let the rate of each head fall whose monitored value no longer improves."""
        if self.plateaus:
            for plateau, value in zip(self.plateaus, values.flatten().tolist(), strict=True):
                plateau.step(value)
            self.rates = [plateau.optimizer.param_groups[0]["lr"] for plateau in self.plateaus]

    def state(self) -> dict[str, Tensor]:
        """What the rules remember, live, by name."""
        return {
            f"{kind}.{head}.{i}": one
            for head, parts in enumerate(self.heads)
            for kind, own in (("first", parts.first), ("second", parts.second))
            for i, one in enumerate(own)
        }

    def numbers(self) -> list[Any]:
        """The rest of what changes, as JSON has it."""
        plateaus = [[p.best, p.num_bad_epochs, p.last_epoch] for p in self.plateaus]
        return [self.step, self.rates, plateaus]

    def set_numbers(self, numbers: list[Any]) -> None:
        """Go on from these."""
        self.step, self.rates, plateaus = numbers
        for head in self.heads:
            for count in head.steps:
                count.fill_(self.step)
        for plateau, rate, own in zip(self.plateaus, self.rates, plateaus, strict=False):
            plateau.best, plateau.num_bad_epochs, plateau.last_epoch = own
            plateau.optimizer.param_groups[0]["lr"] = rate


def _by_head(stack: Iterable[Tensor]) -> list[list[Tensor]]:
    """Each head's parameters, as views of stacked ones."""
    return [list(own) for own in zip(*(one.flatten(0, 1).unbind() for one in stack), strict=True)]


def _plateau(config: TrainConfig) -> torch.optim.lr_scheduler.ReduceLROnPlateau:
    """torch's own schedule of one head, on a stand-in."""
    stand_in = torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate)
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        stand_in, mode="min" if config.monitor == "val_loss" else "max",
        factor=config.plateau_factor, patience=config.plateau_patience,
    )  # fmt: skip


Tensors = list[Tensor]
Rule = Callable[[Tensors, Tensors, Tensors, Tensors, Tensors, Numbers], None]


def sgd(w: Tensors, g: Tensors, moved: Tensors, _: Tensors, steps: Tensors, own: Numbers) -> None:
    """Momentum without dampening."""
    torch_sgd(
        w, g, list(moved), weight_decay=own.decay, momentum=own.momentum, lr=own.rate,
        dampening=0.0, nesterov=False, fused=True, foreach=False, maximize=False,
    )  # fmt: skip


def _with_moments(rule: Callable[..., None]) -> Rule:
    """Adam (Kingma and Ba 2015: decay as L2) or AdamW (Loshchilov and Hutter 2019: decay apart)."""

    def move(
        w: Tensors, g: Tensors, mean: Tensors, square: Tensors, steps: Tensors, own: Numbers
    ) -> None:
        rule(
            w, g, mean, square, [], steps, lr=own.rate, weight_decay=own.decay, beta1=0.9,
            beta2=0.999, eps=1e-8, amsgrad=False, fused=True, foreach=False, maximize=False,
        )  # fmt: skip

    return move


def adagrad(
    w: Tensors, g: Tensors, total: Tensors, _: Tensors, steps: Tensors, own: Numbers
) -> None:
    """Duchi, Hazan and Singer (2011)."""
    torch_adagrad(
        w, g, total, steps, lr=own.rate, weight_decay=own.decay, lr_decay=0.0, eps=1e-10,
        fused=True, foreach=False, maximize=False,
    )  # fmt: skip


def adadelta(
    w: Tensors, g: Tensors, square: Tensors, moved: Tensors, steps: Tensors, own: Numbers
) -> None:
    """Zeiler (2012), rho 0.9: large weights one by one, which then stay in the cache."""
    small = [n for n, weight in enumerate(w) if weight.numel() < _SMALL]
    alone = [[n] for n, weight in enumerate(w) if weight.numel() >= _SMALL]
    for numbers in (small, *alone):
        if numbers:
            _adadelta(*([kind[n] for n in numbers] for kind in (w, g, square, moved)), own=own)


_SMALL = 4096  # numbers of a weight: below, the calls cost more than the work


@torch.no_grad()
def _adadelta(w: Tensors, g: Tensors, square: Tensors, moved: Tensors, *, own: Numbers) -> None:
    down = torch._foreach_add(g, w, alpha=own.decay) if own.decay else g
    torch._foreach_mul_(square, 0.9)
    torch._foreach_addcmul_(square, down, down, value=0.1)
    delta = torch._foreach_add(moved, 1e-6)
    torch._foreach_div_(delta, torch._foreach_add(square, 1e-6))
    torch._foreach_sqrt_(delta)
    torch._foreach_mul_(delta, down)
    torch._foreach_mul_(moved, 0.9)
    torch._foreach_addcmul_(moved, delta, delta, value=0.1)
    torch._foreach_add_(w, delta, alpha=-own.rate)


RULES: dict[str, Rule] = {
    "adam": _with_moments(torch_adam), "adamw": _with_moments(torch_adamw), "sgd": sgd,
    "adagrad": adagrad, "adadelta": adadelta,
}  # fmt: skip
