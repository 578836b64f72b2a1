"""Owns the training of many heads at once: what `train` does to one head on cached features.

Enters: training settings, one set a head, and the features they learn from. Leaves: each head's
weights at its best epoch, with the epochs' figures. Heads of one shape, whatever their numbers,
optimizers, activations, seeds and features, stand in one tensor (S, V, P): S streams of batches by
V variants that see the same stream, a head of P parameters in a row.

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
from brainlens.classify.jobs import Job, Material
from brainlens.classify.machine import one_thread_each
from brainlens.classify.network import ACTIVATIONS, Architecture, build_head
from brainlens.classify.optimisation import class_weights, cosine_rate
from brainlens.classify.pausing import Pause
from brainlens.classify.stacked import Movers
from brainlens.classify.variants import Layout, Targets, Variants
from brainlens.core.allocator import keep_freed_memory
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


_BESIDE = 9  # variants whose weights stay in the cache together
_RUN = 100  # steps whose dropout is drawn ahead
_CHANGING = ("rows", "best", "best_epoch", "best_value", "waited", "stopped")


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
        self.val = torch.stack([_tensor(material.val) for material in materials])  # (S, M, D)
        self.activations = [job.architecture.activation for job in jobs[:variants]]
        self.parts = [range(variants)[start:][:_BESIDE] for start in range(0, variants, _BESIDE)]
        self.layout, first = _first_weights(jobs, self.val.shape[2], classes)
        self.movers = Movers([job.config for job in jobs], first)
        self.rows = first.view(len(streams), variants, -1)
        balanced = self.config.balance == "weights"
        balance = class_weights(materials[0].classes) if balanced else torch.ones(classes)
        self.targets = Targets(_tensor(materials[0].classes), balance, self.config.label_smoothing)
        self.best = self.rows.clone()
        self.best_epoch = torch.zeros(len(streams), variants, dtype=torch.long)
        self.best_value = torch.full((len(streams), variants), torch.nan)
        self.waited = torch.zeros(len(streams), variants, dtype=torch.long)
        self.stopped = torch.zeros(len(streams), variants, dtype=torch.bool)
        self.history: list[dict[str, Tensor]] = []

    def learn(self, epoch: int) -> None:
        """One epoch of steps.

        A few heads take many steps before the next few do, so that their parameters and what
        their rules remember stay in a processor's cache; each processor has its own few.
        """
        batches = {seed: self._batches(seed, epoch) for seed in dict.fromkeys(self.seeds)}
        count = len(batches[self.seeds[0]])
        with one_thread_each() as pool:
            for begin in range(0, count, _RUN):
                work = []
                for seed, all_batches in batches.items():
                    run = all_batches[begin : begin + _RUN]
                    masks = self._masks(seed, epoch, begin, run)
                    times = [epoch + (begin + n) / count for n in range(len(run))]
                    for stream in (s for s, own in enumerate(self.seeds) if own == seed):
                        view = self.train[stream][epoch % len(self.train[stream])]
                        work += [
                            pool.submit(self._steps, stream, part, view, run, masks, times)
                            for part in self.parts
                        ]
                for done in work:
                    done.result()
        self.movers.step += count

    @torch.no_grad()
    def _steps(
        self, stream: int, places: range, view: Tensor, run: Sequence[Tensor],
        masks: list[dict[float, Tensor]], times: Sequence[float],
    ) -> None:  # fmt: skip
        """These variants of a stream, batch after batch."""
        own = slice(places.start, places.stop)
        heads = Variants(self.layout, self.rows[stream, own], self.activations[own])
        part = self.movers.part([stream * self.variants + v for v in places], heads.gradients)
        shares = [job.config.dropout for job in self.jobs[own]]
        for samples, drawn, time in zip(run, masks, times, strict=True):
            mask = torch.stack([drawn[share] for share in shares])
            heads.descend(view[samples], mask, self.targets.of(samples))
            part.move(self._share(time))

    def _share(self, time: float) -> float:
        """Of its rate that every head takes at a time in epochs."""
        if self.config.schedule != "cosine":
            return 1.0
        return cosine_rate(dataclasses.replace(self.config, learning_rate=1.0), time)

    def _batches(self, seed: int, epoch: int) -> list[Tensor]:
        order = epoch_order(
            self.materials[0].classes, seed=seed, epoch=epoch,
            balanced=self.config.balance == "sampling",
        )  # fmt: skip
        return [torch.tensor(batch) for batch in EpochOrder(order, self.config.batch_size)]

    def _masks(
        self, seed: int, epoch: int, begin: int, run: Sequence[Tensor]
    ) -> list[dict[float, Tensor]]:
        """Dropout's factors (units, B) by share, step by step, as nn.Dropout draws in `train`."""
        hidden = self.jobs[0].architecture.hidden
        units = hidden[-1] if hidden else self.val.shape[2]
        shares = dict.fromkeys(job.config.dropout for job in self.jobs[: self.variants])
        masks = []
        for number, samples in enumerate(run, begin):
            start = derive(seed, "step", epoch, number, 0)
            drawn = {}
            for share in shares:
                torch.default_generator.manual_seed(start)  # not the GPUs', which cost more
                drawn[share] = F.dropout(torch.ones(len(samples), units), share).mT.contiguous()
            masks.append(drawn)
        return masks

    @torch.no_grad()
    def judge(self, epoch: int) -> None:
        """The epoch's figures on the validation features; the best weights so far are kept."""
        true = _tensor(self.materials[0].val_classes)
        logits = torch.stack(
            [
                Variants(self.layout, rows, self.activations).logits(own)
                for rows, own in zip(self.rows, self.val, strict=True)
            ]
        )  # (S, V, K, M)
        loss = F.cross_entropy(
            logits.flatten(0, 1), true.expand(self.best_epoch.numel(), -1), reduction="none"
        )
        right = logits.argmax(2) == true  # (S, V, M)
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
        self.best[better] = self.rows[better]
        self.best_epoch[better], self.best_value[better] = epoch + 1, value[better]
        self.waited = torch.where(better, 0, self.waited + 1)
        if self.config.patience:
            self.stopped |= self.waited >= self.config.patience
        self.movers.end_epoch(value)

    def state(self) -> dict[str, Tensor]:
        """Everything that changes from epoch to epoch, but the movers' numbers; live, by name."""
        own = {name: getattr(self, name) for name in _CHANGING} | self.movers.state()
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
                dict(
                    zip(
                        names,
                        (own.clone() for own in self.layout.views(self.best[s, v])),
                        strict=True,
                    )
                ),
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


def _first_weights(jobs: Sequence[Job], inputs: int, classes: int) -> tuple[Layout, Tensor]:
    """The parameters that `train` would begin with, a head in a row."""
    heads: dict[int, list[Tensor]] = {}
    for job in jobs:
        if job.config.seed not in heads:
            torch.set_rng_state(_state_at_head(job.architecture.backbone, job.config.seed))
            head = build_head(inputs, job.architecture, classes)
            heads[job.config.seed] = [p.detach() for p in head.parameters()]
    layout = Layout(tuple(tuple(own.shape) for own in heads[jobs[0].config.seed]))
    rows = torch.zeros(len(jobs), layout.length)
    for job, row in zip(jobs, rows, strict=True):
        for place, own in zip(layout.views(row), heads[job.config.seed], strict=True):
            place.copy_(own)
    return layout, rows


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
