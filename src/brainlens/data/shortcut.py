"""Owns the shortcut check: how well the class shows in what is not anatomy.

Enters: for each image its size, mode, file type, frame, mean and spread of grey, with label and
group. Leaves: the balanced accuracy of a small forest on these alone, under cross-validation that
keeps groups whole, and of each of them alone. A classifier that is no better than this may have
learnt where pictures come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from brainlens.core.errors import IndexFileError
from brainlens.core.seeding import generator
from brainlens.data import forest
from brainlens.data.index import Row
from brainlens.data.measures import View, view
from brainlens.data.shrinking import Grey

FEATURES = ("width", "height", "aspect", "mode", "file type", "border", "mean", "std")
VISIBLE = 0.1  # points of balanced accuracy above chance that count as "visible"
_FOLDS = 5
_TREES, _DEPTH = 20, 7
_DEPTH_ALONE = 5
_RESAMPLES = 1000

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Facts = Mapping[str, float | str]


@dataclass(frozen=True)
class Shortcut:
    """What metadata alone tell of the class; all figures out of fold."""

    images: int
    groups: int
    classes: tuple[str, ...]
    balanced_accuracy: float
    interval: tuple[float, float]  # 95 %, groups resampled
    chance: float  # balanced accuracy of guessing: 1 / classes
    accuracy: float
    majority: float  # accuracy of naming the commonest class always
    alone: dict[str, float]  # balanced accuracy of each feature by itself, best first

    @property
    def visible(self) -> bool:
        """Whether the class is clearly visible in the metadata."""
        return self.interval[0] > self.chance and self.balanced_accuracy >= self.chance + VISIBLE

    @property
    def sentence(self) -> str:
        """The finding in plain words."""
        low, high = self.interval
        figures = (
            f"balanced accuracy {self.balanced_accuracy:.2f} (95 % interval {low:.2f}-{high:.2f}; "
            f"chance {self.chance:.2f})"
        )
        if not self.visible:
            return f"The class is not clearly visible in the metadata: they reach {figures}."
        best = [f"{name} {value:.2f}" for name, value in list(self.alone.items())[:3]]
        return (
            f"The class is visible in the metadata: without looking at the anatomy they reach "
            f"{figures}; most telling alone: {', '.join(best)}."
        )


def facts(row: Row, grey: Grey) -> dict[str, float | str]:
    """What the check may know of one image."""
    seen = view(grey, width=row.width, height=row.height)
    return facts_of_row(row) | facts_of_view(seen)


def facts_of_row(row: Row) -> dict[str, float | str]:
    """What the index tells the check."""
    return {
        "width": float(row.width),
        "height": float(row.height),
        "aspect": row.width / max(1, row.height),
        "mode": row.mode,
        "file type": PurePosixPath(row.path).suffix.lower(),
    }


def facts_of_view(seen: View) -> dict[str, float]:
    """What the picture tells the check."""
    return {
        "border": seen.margin,
        "mean": seen.mean,
        "std": seen.std,
    }


def shortcut(
    known: Sequence[Facts], labels: Sequence[str], groups: Sequence[str], *, seed: int = 0
) -> Shortcut:
    """Predict the label from `facts` alone, groups kept whole; deterministic for a seed.

    Raises IndexFileError where a class has fewer groups than the two folds this needs.
    """
    classes, y = np.unique(np.asarray(labels), return_inverse=True)
    _, g = np.unique(np.asarray(groups), return_inverse=True)
    folds = _folds(y, g, classes, seed)
    together, apart = _out_of_fold(forest.binned(_table(known)), y, len(classes), folds, seed)
    right = together == y
    k = len(classes)
    alone = {name: _balanced(guess == y, y, k) for name, guess in zip(FEATURES, apart, strict=True)}
    return Shortcut(
        images=len(y),
        groups=int(g.max()) + 1,
        classes=tuple(str(name) for name in classes),
        balanced_accuracy=_balanced(right, y, k),
        interval=_interval(right, y, g, k, seed),
        chance=1 / k,
        accuracy=float(right.mean()),
        majority=float(np.bincount(y).max() / len(y)),
        alone=dict(sorted(alone.items(), key=lambda pair: -pair[1])),
    )


def _table(known: Sequence[Facts]) -> Floats:
    """(N, features) numbers; words are numbered by their frequency, commonest first."""
    columns: list[Floats] = []
    for name in FEATURES:
        values = np.asarray([one[name] for one in known])
        if values.dtype.kind == "U":
            words, place, counts = np.unique(values, return_inverse=True, return_counts=True)
            rank = np.empty(len(words))
            rank[np.argsort(-counts, kind="stable")] = np.arange(len(words))
            values = rank[place]
        columns.append(values.astype(np.float64))
    return np.stack(columns, axis=1)


def _folds(
    y: Integers, g: Integers, classes: NDArray[np.str_], seed: int
) -> list[tuple[Integers, Integers]]:
    """Stratified folds of whole groups, five or as many as the rarest class has groups."""
    counts = {str(name): len(set(g[y == k].tolist())) for k, name in enumerate(classes)}
    if len(counts) < 2 or min(counts.values()) < 2:
        got = ", ".join(f"{name} {n}" for name, n in counts.items())
        raise IndexFileError(
            f"the shortcut check got groups by class: {got}; expected two classes or more with two "
            "groups each. Add images of other patients"
        )
    n = min(_FOLDS, *counts.values())
    fold = _dealt(y, g, n, seed)
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n)]


def _dealt(y: Integers, g: Integers, n: int, seed: int) -> Integers:
    """The fold (N,) of each image: groups are dealt whole, the largest first, each to the fold that
    holds least of its classes. As scikit-learn's StratifiedGroupKFold, in a hundredth of the time.
    """
    k = int(y.max()) + 1
    table = np.bincount(g * k + y, minlength=(int(g.max()) + 1) * k).reshape(-1, k)
    shares = table / table.sum(0)  # (G, K) of each class
    order = generator(seed, "folds").permutation(len(table))
    held, fold = np.zeros((n, k)), np.empty(len(table), np.int64)
    for group in order[np.argsort(-table.sum(1)[order], kind="stable")]:
        share = shares[group]
        fold[group] = to = int((held @ share + 1e-9 * held.sum(1)).argmin())
        held[to] += share
    return np.asarray(fold[g])


def _out_of_fold(
    bins: Integers, y: Integers, k: int, folds: Sequence[tuple[Integers, Integers]], seed: int
) -> tuple[Integers, Integers]:
    """The class given to each image by models that saw nothing of its group: (N,) by a forest of
    all features, (F, N) by a tree of each."""
    single = bins.T[:, :, None]  # (F, N, 1)
    together = np.full(len(y), -1)
    apart = np.full(bins.T.shape, -1)
    for number, (train, test) in enumerate(folds):
        random = generator(seed, "forest", number)
        many = forest.forest(bins[train], y[train], k, trees=_TREES, depth=_DEPTH, random=random)
        seen = np.broadcast_to(bins[test], (_TREES, len(test), bins.shape[1]))
        together[test] = many.classes(seen).mean(0).argmax(1)
        one = forest.alone(single[:, train], y[train], k, depth=_DEPTH_ALONE)
        apart[:, test] = one.classes(single[:, test]).argmax(2)
    return together, apart


def _balanced(right: NDArray[np.bool_], y: Integers, k: int) -> float:
    """Mean over the classes of the share that is right."""
    return float((np.bincount(y, right, k) / np.bincount(y, minlength=k)).mean())


def _interval(
    right: NDArray[np.bool_], y: Integers, g: Integers, k: int, seed: int
) -> tuple[float, float]:
    """95 % percentile interval of the balanced accuracy, whole groups drawn with replacement."""
    n = int(g.max()) + 1
    cell = g * k + y
    all_, good = (np.bincount(cell, weights, n * k).reshape(n, k) for weights in (None, right))
    random = generator(seed, "shortcut")
    values = []
    for _ in range(_RESAMPLES):
        drawn = np.bincount(random.integers(n, size=n), minlength=n)
        total = drawn @ all_
        values.append(float(((drawn @ good)[total > 0] / total[total > 0]).mean()))
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
