"""Owns small decision trees over binned features, all trees of a forest grown at once.

Random forests (Breiman 2001): each tree sees its own draw of the images and, at each split, its own
draw of the features; a split is the one that lowers Gini's impurity most, classes counting alike.
Level by level the counts of all nodes of all trees are one table. scikit-learn's forest is the
oracle of the tests; merely importing it costs as much as decoding a thousand scans, and the audit
asks no more of a forest than this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BINS = 32  # of a feature, at most
LEAST = 5.0  # images on either side of a split, weighted


@dataclass(frozen=True)
class Trees:
    """T grown trees of equal depth."""

    features: list[Integers]  # by level, (T, nodes): which feature splits a node
    limits: list[Integers]  # by level, (T, nodes): the last bin that goes left
    shares: Floats  # (T, leaves, K) of the classes

    def classes(self, bins: Integers) -> Floats:
        """(T, M, K) shares of the classes for M images; bins (T, M, F) as in `grow`."""
        node = np.zeros(bins.shape[:2], np.int64)
        for feature, limit in zip(self.features, self.limits, strict=True):
            node = _next(bins, node, feature, limit)
        return np.asarray(np.take_along_axis(self.shares, node[:, :, None], 1))


def binned(x: Floats) -> Integers:
    """(N, F) numbers to bins of about equally many images, in order; equal ones stay together."""
    columns = []
    for column in x.T:
        edges = np.unique(column)
        if len(edges) > BINS:
            edges = np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)[1:], method="lower"))
        columns.append(np.minimum(np.searchsorted(edges, column), len(edges) - 1))
    return np.stack(columns, 1).astype(np.int64)


def forest(
    bins: Integers, y: Integers, classes: int, *, trees: int, depth: int,
    random: np.random.Generator,
) -> Trees:  # fmt: skip
    """A random forest of N images, bins (N, F)."""
    n, f = bins.shape
    drawn = random.integers(n, size=(trees, n))
    weights = np.stack([np.bincount(one, minlength=n) for one in drawn]) * _balance(y, classes)
    few = max(1, round(f**0.5))
    nodes = 2**depth - 1
    tried = random.random((trees, nodes, f)).argsort(-1).argsort(-1) < few
    return grow(np.broadcast_to(bins, (trees, n, f)), y, classes, weights, depth, tried)


def alone(bins: Integers, y: Integers, classes: int, *, depth: int) -> Trees:
    """One tree for each of F features, which sees that feature only; bins (F, N, 1)."""
    weights = np.broadcast_to(_balance(y, classes), bins.shape[:2])
    tried = np.ones((len(bins), 2**depth - 1, 1), np.bool_)
    return grow(bins, y, classes, weights, depth, tried)


def grow(
    bins: Integers, y: Integers, classes: int, weights: Floats, depth: int,
    tried: NDArray[np.bool_],
) -> Trees:  # fmt: skip
    """Trees of these bins (T, N, F), image weights (T, N) and features tried (T, nodes, F)."""
    t, n, _ = bins.shape
    node = np.zeros((t, n), np.int64)
    features, limits = [], []
    for level in range(depth):
        nodes = 2**level
        place = (np.arange(t)[:, None] * nodes + node) * BINS
        asked = tried[:, nodes - 1 : 2 * nodes - 1]
        feature, limit = _best(bins, y, classes, weights, place, asked)
        features.append(feature)
        limits.append(limit)
        node = _next(bins, node, feature, limit)
    leaves = 2**depth
    cell = ((np.arange(t)[:, None] * leaves + node) * classes + y).ravel()
    table = np.bincount(cell, weights.ravel(), t * leaves * classes)
    held = table.reshape(t, leaves, classes)
    return Trees(features, limits, held / np.maximum(held.sum(2, keepdims=True), 1e-12))


def _best(
    bins: Integers, y: Integers, classes: int, weights: Floats, place: Integers,
    tried: NDArray[np.bool_],
) -> tuple[Integers, Integers]:  # fmt: skip
    """The best split of each node, (T, nodes) each; everything goes left where none helps."""
    t, nodes, f = tried.shape
    gains = np.empty((t, nodes, f, BINS))
    flat = np.ascontiguousarray(weights).ravel()
    for k in range(f):
        cell = ((place + bins[:, :, k]) * classes + y).ravel()
        table = np.bincount(cell, flat, t * nodes * BINS * classes)
        left = table.reshape(t, nodes, BINS, classes).cumsum(2)
        whole = left[:, :, -1:]
        right = whole - left
        here, there, total = left.sum(3), right.sum(3), whole.sum(3)
        purity = (left**2).sum(3) / np.maximum(here, 1e-12)
        purity += (right**2).sum(3) / np.maximum(there, 1e-12)
        purity -= (whole**2).sum(3) / np.maximum(total, 1e-12)
        fits = (np.minimum(here, there) >= LEAST) & tried[:, :, k, None]
        gains[:, :, k] = np.where(fits, purity, 0)
    best = gains.reshape(t, nodes, f * BINS).argmax(2)
    helps = np.take_along_axis(gains.reshape(t, nodes, -1), best[:, :, None], 2)[:, :, 0] > 1e-9
    return best // BINS, np.where(helps, best % BINS, BINS)


def _next(bins: Integers, node: Integers, feature: Integers, limit: Integers) -> Integers:
    """The node of each image one level down, (T, N)."""
    asked = np.take_along_axis(feature, node, 1)
    value = np.take_along_axis(bins, asked[:, :, None], 2)[:, :, 0]
    return np.asarray(2 * node + (value > np.take_along_axis(limit, node, 1)))


def _balance(y: Integers, classes: int) -> Floats:
    """(N,) weights with which all classes count alike, 1 on average."""
    counts = np.bincount(y, minlength=classes)
    present = max(1, int((counts > 0).sum()))
    return np.asarray((len(y) / (present * np.maximum(counts, 1)))[y])
