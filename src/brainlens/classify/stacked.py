"""Owns the optimizers for stacked heads: torch's update rules with numbers of each head's own.

Enters: heads, one in a row (H, P), and buffers of their gradients. Leaves: the rows moved in place.
Every head keeps its own rule, learning rate, decay and momentum; those of a part that agree in all
of them move in one call. Rules and defaults are torch.optim's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.adagrad import adagrad as torch_adagrad

from brainlens.classify.config import TrainConfig


@dataclass(frozen=True)
class Numbers:
    """What a rule multiplies with, the same for all heads of a call."""

    rate: float
    decay: float
    momentum: float


Tensors = list[Tensor]
# Heads, their gradients, what the rule remembers of each (twice), steps taken so far.
Rule = Callable[[Tensors, Tensors, Tensors, Tensors, Tensors, Numbers], None]


class Movers:
    """The rules of all heads of a stack, in the order of their settings; final."""

    def __init__(self, configs: Sequence[TrainConfig], rows: Tensor) -> None:
        self.configs = configs
        self.rates = [config.learning_rate for config in configs]
        self.plateaus = (
            [_plateau(config) for config in configs] if configs[0].schedule == "plateau" else []
        )
        self.step = 0  # taken by every head
        self.rows, self.first, self.second = rows, torch.zeros_like(rows), torch.zeros_like(rows)
        self.steps = torch.zeros(len(rows))

    def part(self, heads: Sequence[int], gradients: Tensor) -> Part:
        """These heads, whose gradients the rows of a buffer will hold at each step."""
        alike = defaultdict(list)
        for place, head in enumerate(heads):
            config = self.configs[head]
            key = (config.optimizer, self.rates[head], config.weight_decay, config.momentum)
            alike[key].append((head, gradients[place]))
        groups: list[tuple[Rule, list[Tensors], int]] = []
        for (name, *_), pairs in alike.items():
            kinds = (self.rows, self.first, self.second, self.steps)
            own, first, second, steps = ([kind[head] for head, _ in pairs] for kind in kinds)
            down = [gradient for _, gradient in pairs]
            groups.append((RULES[name], [own, down, first, second, steps], pairs[0][0]))
        return Part(self, groups)

    def end_epoch(self, values: Tensor) -> None:
        """Let the rate of each head fall whose monitored value no longer improves."""
        if self.plateaus:
            for plateau, value in zip(self.plateaus, values.flatten().tolist(), strict=True):
                plateau.step(value)
            self.rates = [plateau.optimizer.param_groups[0]["lr"] for plateau in self.plateaus]

    def state(self) -> dict[str, Tensor]:
        """What the rules remember, live, by name."""
        return {"first": self.first, "second": self.second}

    def numbers(self) -> list[Any]:
        """The rest of what changes, as JSON has it."""
        plateaus = [[p.best, p.num_bad_epochs, p.last_epoch] for p in self.plateaus]
        return [self.step, self.rates, plateaus]

    def set_numbers(self, numbers: list[Any]) -> None:
        """Go on from these."""
        self.step, self.rates, plateaus = numbers
        self.steps.fill_(self.step)
        for plateau, rate, own in zip(self.plateaus, self.rates, plateaus, strict=False):
            plateau.best, plateau.num_bad_epochs, plateau.last_epoch = own
            plateau.optimizer.param_groups[0]["lr"] = rate


@dataclass(frozen=True)
class Part:
    """Some heads of a stack, in groups that agree in their numbers; good for one epoch."""

    movers: Movers
    groups: list[tuple[Rule, list[Tensors], int]]  # the last: a head whose numbers are all's

    def move(self, share: float = 1.0) -> None:
        """One step of each, at this share of its rate."""
        for rule, tensors, head in self.groups:
            config = self.movers.configs[head]
            own = Numbers(share * self.movers.rates[head], config.weight_decay, config.momentum)
            w, g, first, second, steps = tensors
            rule(w, g, first, second, steps, own)


def _plateau(config: TrainConfig) -> torch.optim.lr_scheduler.ReduceLROnPlateau:
    """torch's own schedule of one head, on a stand-in."""
    stand_in = torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate)
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        stand_in, mode="min" if config.monitor == "val_loss" else "max",
        factor=config.plateau_factor, patience=config.plateau_patience,
    )  # fmt: skip


def sgd(w: Tensors, g: Tensors, moved: Tensors, _: Tensors, steps: Tensors, own: Numbers) -> None:
    """Momentum without dampening."""
    for weight, gradient, velocity in zip(w, g, moved, strict=True):
        down = gradient.add(weight, alpha=own.decay) if own.decay else gradient
        down = velocity.mul_(own.momentum).add_(down) if own.momentum else down
        weight.add_(down, alpha=-own.rate)


def _with_moments(rule: Callable[..., None]) -> Rule:
    """Adam (Kingma and Ba 2015: decay as L2) or AdamW (Loshchilov and Hutter 2019: decay apart).

    torch.optim's fused kernels, without its wrappers, which cost as much as the work on one head.
    """

    def move(
        w: Tensors, g: Tensors, mean: Tensors, square: Tensors, steps: Tensors, own: Numbers
    ) -> None:
        torch._foreach_add_(steps, 1)
        rule(
            w, g, mean, square, [], steps, lr=own.rate, weight_decay=own.decay, beta1=0.9,
            beta2=0.999, eps=1e-8, amsgrad=False, maximize=False,
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
    w: Tensors, g: Tensors, squares: Tensors, moves: Tensors, steps: Tensors, own: Numbers
) -> None:
    """Zeiler (2012), rho 0.9: head by head, which then stays in the cache."""
    for weight, gradient, square, moved in zip(w, g, squares, moves, strict=True):
        down = gradient.add(weight, alpha=own.decay) if own.decay else gradient
        square.mul_(0.9).addcmul_(down, down, value=0.1)
        delta = moved.add(1e-6).div_(square.add(1e-6)).sqrt_().mul_(down)
        moved.mul_(0.9).addcmul_(delta, delta, value=0.1)
        weight.add_(delta, alpha=-own.rate)


RULES: dict[str, Rule] = {
    "adam": _with_moments(torch._fused_adam_), "adamw": _with_moments(torch._fused_adamw_),
    "sgd": sgd, "adagrad": adagrad, "adadelta": adadelta,
}  # fmt: skip
