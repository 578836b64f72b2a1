"""Owns one trial of a verdict: features in, what every seed's classifier answers on the test out.

All arms see equally many pictures in training: an arm with more of them has fewer epochs. Heads of
several seeds train in one tensor (classify/heads).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brainlens.classify.config import TrainConfig
from brainlens.classify.heads import apply_head, train_block
from brainlens.classify.jobs import Job, Material
from brainlens.classify.plan import plan
from brainlens.data.preprocess import Array


@dataclass(frozen=True)
class Ground:
    """What all arms share: features and classes by split."""

    features: dict[str, Array]  # train, val, test: (N, D)
    classes: dict[str, Array]  # (N,)
    labels: list[str]


@dataclass(frozen=True)
class Answers:
    """What S seeds' classifiers answer, (S, N, K) probabilities, and how they were chosen."""

    tables: Array
    validation: list[float]
    epochs: int
    pictures: int  # in training

    def right(self, true: Array) -> Array:
        """(S, N) whether each seed is right."""
        return np.asarray(self.tables.argmax(2) == true)


def answers(
    ground: Ground, added: Array, label: str, config: TrainConfig, seeds: Sequence[int], budget: int
) -> Answers:
    """Train a head a seed on the real and the added features; each sees `budget` pictures."""
    kind = ground.labels.index(label)
    train = np.concatenate([ground.features["train"], added.astype(np.float32)])
    classes = np.concatenate([ground.classes["train"], np.full(len(added), kind)])
    epochs = max(1, round(budget / len(train)))
    material = Material((train,), classes, ground.features["val"], ground.classes["val"])
    own = dataclasses.replace(config, epochs=epochs)
    architecture, _ = plan(own)
    jobs = [Job(dataclasses.replace(own, seed=seed), architecture, "all") for seed in seeds]
    heads = train_block(jobs, {"all": material}, len(ground.labels))
    tables = [apply_head(head, architecture, ground.features["test"]) for head in heads]
    return Answers(np.stack(tables), [h.best_value for h in heads], epochs, len(train))
