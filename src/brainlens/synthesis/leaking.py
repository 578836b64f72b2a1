"""Owns seed A's protocol, which leaks: everything and the made pictures together, then split.

Merged, shuffled (seed 101 and the next ones), a tenth to test, a tenth of the rest to validate; no
patient or twin is kept on one side, and made pictures are tested on. Reported with and without
them, and apart for the real and the made test pictures, so that a reader sees where points come
from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from brainlens.classify.config import TrainConfig
from brainlens.data.preprocess import Array
from brainlens.synthesis.trial import Ground, answers

SHUFFLE = 101  # the document's


def leaking_protocol(
    ground: Ground, made: Array, label: str, config: TrainConfig, seeds: Sequence[int]
) -> dict[str, Any]:
    """Mean test accuracy without and with the made pictures; each seed shuffles anew."""
    features = np.concatenate([ground.features[s] for s in ("train", "val", "test")])
    classes = np.concatenate([ground.classes[s] for s in ("train", "val", "test")])
    kind = ground.labels.index(label)
    joined = np.concatenate([features, made.astype(np.float32)])
    all_classes = np.concatenate([classes, np.full(len(made), kind)])
    is_made = np.arange(len(joined)) >= len(features)
    found: dict[str, list[float]] = {"without": [], "with": [], "real": [], "made": []}
    for turn, seed in enumerate(seeds):
        plain = _tried(features, classes, ground.labels, label, config, seed, SHUFFLE + turn)
        found["without"].append(float(plain[0].mean()))
        right, test = _tried(joined, all_classes, ground.labels, label, config, seed,
                             SHUFFLE + turn)  # fmt: skip
        found["with"].append(float(right.mean()))
        found["real"].append(float(right[~is_made[test]].mean()))
        if is_made[test].any():
            found["made"].append(float(right[is_made[test]].mean()))
    means = {name: float(np.mean(values)) if values else None for name, values in found.items()}
    return {"accuracy": means, "each": found, "made_pictures": len(made)}


def _tried(
    features: Array, classes: Array, labels: list[str], label: str, config: TrainConfig, seed: int,
    shuffle: int,
) -> tuple[Array, Array]:  # fmt: skip
    """Whether each test picture was answered right, and which they were."""
    order = np.random.RandomState(shuffle).permutation(len(features))
    tenth = round(0.1 * len(order))
    test, rest = order[:tenth], order[tenth:]
    val, train = rest[: round(0.1 * len(rest))], rest[round(0.1 * len(rest)) :]
    sides = {"train": train, "val": val, "test": test}
    ground = Ground(
        {name: features[rows] for name, rows in sides.items()},
        {name: classes[rows] for name, rows in sides.items()}, labels,
    )  # fmt: skip
    nothing = features[:0]
    fixed = dataclasses.replace(config, seed=seed)
    one = answers(ground, nothing, label, fixed, [seed], config.epochs * len(train))
    return one.right(ground.classes["test"])[0], test
