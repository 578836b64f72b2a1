"""Owns the training of many heads at once: what `train` does to one head on cached features.

Enters: training settings, one set a head, and the features they learn from. Leaves: each head's
weights at its best epoch, with the epochs' figures. Heads of one shape, whatever their numbers,
optimizers, activations, seeds and features, stand in one tensor (S, V, units, inputs): S streams of
batches by V variants that see the same stream, so a step is one matrix product a layer for all.

Equal seeds give `train`'s weights, up to the order of additions: same first weights, same order of
pictures, same dropout. fp32 always.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from brainlens.classify.backbones import backbone
from brainlens.classify.batches import EpochOrder, epoch_order
from brainlens.classify.firstlayer import first_product, gather
from brainlens.classify.jobs import Job, Material
from brainlens.classify.machine import keep_freed_memory
from brainlens.classify.network import ACTIVATIONS, Architecture, build_head
from brainlens.classify.optimisation import class_weights, cosine_rate
from brainlens.classify.pausing import Pause
from brainlens.classify.stacked import Movers
from brainlens.core.errors import ConfigError
from brainlens.core.seeding import derive, seed_everything
from brainlens.data.preprocess import Array


@dataclass(frozen=True)
class Head:
    """A trained head: its best epoch's weights by name, as in a Classifier's `head`."""

    weights: dict[str, Tensor]
    best_epoch: int  # from 1
    best_value: float
    history: list[dict[str, float]]  # val_loss, val_accuracy, val_balanced_accuracy by epoch


def train_block(
    jobs: Sequence[Job],  # one of `blocks`: stream by stream, the variants in one order
    materials: Mapping[str, Material],
    classes: int,
    unfinished: Path | None = None,
) -> list[Head]:
    """Train heads that fit one tensor; in the order of the jobs.

    In the folder `unfinished` they are kept every few seconds, and taken up again from there.
    """
    keep_freed_memory()  # a step takes and frees megabytes
    config = jobs[0].config
    if config.tune != "head":
        raise ConfigError(f"tune={config.tune!r}: only heads train together. Use tune = 'head'")
    streams = list(dict.fromkeys((job.material, job.config.seed) for job in jobs))
    variants = len(jobs) // len(streams)
    stack = _Stack(jobs, streams, variants, [materials[name] for name, _ in streams], classes)
    pause = Pause(unfinished, jobs, materials, classes) if unfinished else None
    for epoch in range(stack.resume(pause) if pause else 0, config.epochs):
        stack.learn(epoch)
        stack.judge(epoch)
        if stack.stopped.all():
            break
        if pause and pause.due():
            pause.save(stack.state(), [epoch + 1, stack.movers.numbers()])
    return stack.heads()


_COUNTS = ("best_epoch", "best_value", "waited", "stopped")


class _Stack:
    """The heads of one block in training."""

    def __init__(
        self, jobs: Sequence[Job], streams: Sequence[tuple[str, int]], variants: int,
        materials: Sequence[Material], classes: int,
    ) -> None:  # fmt: skip
        self.jobs, self.config, self.variants = jobs, jobs[0].config, variants
        self.materials, self.k = materials, classes
        self.seeds = [seed for _, seed in streams]
        self.train = [[_tensor(view) for view in material.train] for material in materials]
        self.labels = _tensor(materials[0].classes)
        self.val = torch.stack([_tensor(material.val) for material in materials])  # (S, M, D)
        own = [job.architecture.activation for job in jobs[:variants]]
        self.activations = {  # by kind: the variants that have it
            name: [v for v, kind in enumerate(own) if kind == name] for name in dict.fromkeys(own)
        }
        self.weights = _first_weights(jobs, self.val.shape[2], classes, (len(streams), variants))
        self.movers = Movers([job.config for job in jobs], self.weights)
        balanced = self.config.balance == "weights"
        self.balance = class_weights(materials[0].classes) if balanced else torch.ones(classes)
        self.best = [w.detach().clone() for w in self.weights]
        self.best_epoch = torch.zeros(len(streams), variants, dtype=torch.long)
        self.best_value = torch.full((len(streams), variants), torch.nan)
        self.waited = torch.zeros(len(streams), variants, dtype=torch.long)
        self.stopped = torch.zeros(len(streams), variants, dtype=torch.bool)
        self.history: list[dict[str, Tensor]] = []

    def learn(self, epoch: int) -> None:
        """One epoch of steps."""
        config = self.config
        orders = {seed: self._batches(seed, epoch) for seed in set(self.seeds)}
        count = len(orders[self.seeds[0]])
        for number in range(count):
            picks = [orders[seed][number] for seed in self.seeds]
            x = gather([views[epoch % len(views)] for views in self.train], picks)  # (S, B, D)
            y = torch.stack([self.labels[p] for p in picks])  # (S, B)
            loss = self._loss(self._logits(x, self._masks(epoch, number, x)), y)
            grads = torch.autograd.grad(loss, self.weights)
            if config.schedule == "cosine":
                self.movers.set_share(
                    cosine_rate(dataclasses.replace(config, learning_rate=1.0),
                                epoch + number / count)
                )  # fmt: skip
            self.movers.move(grads)

    def _batches(self, seed: int, epoch: int) -> list[Tensor]:
        order = epoch_order(
            self.materials[0].classes, seed=seed, epoch=epoch,
            balanced=self.config.balance == "sampling",
        )  # fmt: skip
        return [torch.tensor(batch) for batch in EpochOrder(order, self.config.batch_size)]

    def _masks(self, epoch: int, number: int, x: Tensor) -> Tensor:
        """Dropout's factors (S, V, B, units), as nn.Dropout draws them in `train`'s loop."""
        hidden = self.jobs[0].architecture.hidden
        one = torch.ones(x.shape[1], hidden[-1] if hidden else x.shape[2])
        shares = [job.config.dropout for job in self.jobs[: self.variants]]
        drawn: dict[tuple[int, float], Tensor] = {}
        for seed in dict.fromkeys(self.seeds):
            start = derive(seed, "step", epoch, number, 0)
            for share in dict.fromkeys(shares):
                torch.default_generator.manual_seed(start)  # not the GPUs', which cost more
                drawn[seed, share] = F.dropout(one, share)
        return torch.stack(
            [torch.stack([drawn[seed, share] for share in shares]) for seed in self.seeds]
        )

    def _logits(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(S, V, B, K) of (S, B, D)."""
        streams, rows, _ = x.shape
        first, *others = zip(self.weights[::2], self.weights[1::2], strict=True)
        if mask is not None and not others:  # no hidden layer: dropout stands before the product
            h = x[:, None] * mask  # (S, V, B, D)
            return torch.matmul(h, first[0].mT) + first[1][:, :, None]
        flat = first_product(first[0], x)  # (S, V * units, B)
        h = flat.view(streams, self.variants, -1, rows).mT + first[1][:, :, None]
        for place, (weight, bias) in enumerate(others):
            h = self._activate(h)
            if mask is not None and place == len(others) - 1:
                h = h * mask
            h = torch.matmul(h, weight.mT) + bias[:, :, None]
        return h

    def _activate(self, h: Tensor) -> Tensor:
        """Each variant's own activation, over (S, V, B, units)."""
        if len(self.activations) == 1:
            return ACTIVATIONS[next(iter(self.activations))]()(h)  # type: ignore[no-any-return]
        parts = [ACTIVATIONS[name]()(h[:, own]) for name, own in self.activations.items()]
        back = torch.tensor([v for own in self.activations.values() for v in own]).argsort()
        return torch.cat(parts, 1)[:, back]

    def _loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """The sum over heads of each head's own mean loss."""
        each = F.cross_entropy(
            logits.flatten(0, 2), y[:, None].expand(logits.shape[:3]).flatten(), self.balance,
            reduction="none", label_smoothing=self.config.label_smoothing,
        )  # fmt: skip
        sums = each.view(logits.shape[:3]).sum((1, 2))  # (S,)
        return (sums / self.balance[y].sum(1)).sum()

    @torch.no_grad()
    def judge(self, epoch: int) -> None:
        """The epoch's figures on the validation features; the best weights so far are kept."""
        true = _tensor(self.materials[0].val_classes)
        logits = self._logits(self.val, None)  # (S, V, M, K)
        loss = F.cross_entropy(
            logits.flatten(0, 2), true.expand(logits.shape[:3]).flatten(), reduction="none"
        )
        right = logits.argmax(-1) == true  # (S, V, M)
        present = [true == c for c in range(self.k) if (true == c).any()]
        recall = torch.stack([right[..., chosen].float().mean(-1) for chosen in present])
        figures = {
            "val_loss": loss.view(right.shape).mean(-1),
            "val_accuracy": right.float().mean(-1),
            "val_balanced_accuracy": recall.mean(0),
        }
        self.history.append(figures)
        value = figures[self.config.monitor]
        sign = -1 if self.config.monitor == "val_loss" else 1
        better = (sign * value > sign * self.best_value) | (self.best_epoch == 0)
        better &= ~self.stopped
        for best, weight in zip(self.best, self.weights, strict=True):
            best[better] = weight[better]
        self.best_epoch[better], self.best_value[better] = epoch + 1, value[better]
        self.waited = torch.where(better, 0, self.waited + 1)
        if self.config.patience:
            self.stopped |= self.waited >= self.config.patience
        self.movers.end_epoch(value)

    def state(self) -> dict[str, Tensor]:
        """Everything that changes from epoch to epoch, but the movers' numbers; live, by name."""
        own = {f"weight.{i}": weight.detach() for i, weight in enumerate(self.weights)}
        own |= {f"best.{i}": best for i, best in enumerate(self.best)}
        own |= {name: getattr(self, name) for name in _COUNTS} | self.movers.state()
        for name in self.history[0]:
            own[f"history.{name}"] = torch.stack([figures[name] for figures in self.history])
        return own

    def resume(self, pause: Pause) -> int:
        """Go on from what was kept, where something was; answers the next epoch."""
        kept = pause.read()
        if kept is None:
            return 0
        tensors, (epoch, numbers) = kept
        figures = {n.partition(".")[2]: t for n, t in tensors.items() if n.startswith("history.")}
        self.history = [{n: t[i] for n, t in figures.items()} for i in range(epoch)]
        for name, own in self.state().items():
            own.copy_(tensors[name])
        self.movers.set_numbers(numbers)
        return int(epoch)

    def heads(self) -> list[Head]:
        """The trained heads, in the order of the jobs."""
        names = [f"{layer}.{kind}" for layer in _linear_places(self.jobs[0].architecture)
                 for kind in ("weight", "bias")]  # fmt: skip
        return [
            Head(
                {name: best[s, v].clone() for name, best in zip(names, self.best, strict=True)},
                int(self.best_epoch[s, v]),
                float(self.best_value[s, v]),
                [{name: float(f[s, v]) for name, f in row.items()} for row in self.history],
            )
            for s in range(len(self.seeds))
            for v in range(self.variants)
        ]


def _tensor(values: Array) -> Tensor:
    """The array as a tensor; a copy only where it may not be written (torch warns of those)."""
    return torch.from_numpy(np.require(values, requirements=["C", "W"]))


def _linear_places(architecture: Architecture) -> list[int]:
    """Where in a Classifier's `head` the linear layers stand."""
    count = len(architecture.hidden)
    return [2 * i for i in range(count)] + [2 * count + 1]


@functools.lru_cache(maxsize=64)  # building a backbone only to draw what it draws is dear
def _state_at_head(name: str, seed: int) -> Tensor:
    """Where the random numbers stand when `train` builds the head."""
    seed_everything(seed, "init")
    backbone(name).build()
    return torch.get_rng_state()


def _first_weights(
    jobs: Sequence[Job], inputs: int, classes: int, grid: tuple[int, int]
) -> list[Tensor]:
    """The weights that `train` would begin with, stacked: (S, V, units, inputs), (S, V, units)."""
    heads: dict[int, list[Tensor]] = {}
    layers: list[list[Tensor]] = []
    for job in jobs:
        if job.config.seed not in heads:
            torch.set_rng_state(_state_at_head(job.architecture.backbone, job.config.seed))
            head = build_head(inputs, job.architecture, classes)
            heads[job.config.seed] = [p.detach() for p in head.parameters()]
        layers.append(heads[job.config.seed])
    return [
        torch.stack(same).reshape(*grid, *same[0].shape).contiguous().requires_grad_()
        for same in zip(*layers, strict=True)
    ]


def apply_head(head: Head, architecture: Architecture, features: Array) -> Array:
    """(N, K) float64 probabilities of (N, D) features."""
    x = _tensor(features)
    activation: Callable[[Tensor], Tensor] = ACTIVATIONS[architecture.activation]()
    places = _linear_places(architecture)
    for place in places:
        x = F.linear(x, head.weights[f"{place}.weight"], head.weights[f"{place}.bias"])
        x = activation(x) if place != places[-1] else x
    table: Array = x.double().softmax(1).numpy()
    return table
