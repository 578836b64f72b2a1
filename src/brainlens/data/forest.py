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

BINS = 64  # of a feature, at most
LEAST = 5  # images on either side of a split


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
    times = np.stack([np.bincount(one, minlength=n) for one in drawn])
    varies = np.ptp(bins, axis=0) > 0  # a draw of constant features would split nothing
    few = max(1, round(int(varies.sum()) ** 0.5))
    lots = random.random((trees, 2**depth - 1, f)) + ~varies
    tried = lots.argsort(-1)[:, :, :few]
    return grow(np.broadcast_to(bins, (trees, n, f)), y, classes, times, depth, tried)


def alone(bins: Integers, y: Integers, classes: int, *, depth: int) -> Trees:
    """One tree for each of F features, which sees that feature only; bins (F, N, 1)."""
    times = np.ones(bins.shape[:2], np.int64)
    tried = np.zeros((len(bins), 2**depth - 1, 1), np.int64)
    return grow(bins, y, classes, times, depth, tried)


def grow(
    bins: Integers, y: Integers, classes: int, times: Integers, depth: int, tried: Integers
) -> Trees:
    """Trees of bins (T, N, F); times (T, N) each image was drawn; tried (T, nodes, S) features."""
    t, n, _ = bins.shape
    node = np.zeros((t, n), np.int64)
    features, limits = [], []
    for level in range(depth):
        asked = tried[:, 2**level - 1 : 2 ** (level + 1) - 1]
        feature, limit = _best(bins, y, classes, times, node, asked)
        features.append(feature)
        limits.append(limit)
        node = _next(bins, node, feature, limit)
    leaves = 2**depth
    cell = ((np.arange(t)[:, None] * leaves + node) * classes + y).ravel()
    table = np.bincount(cell, times.ravel(), t * leaves * classes)
    held = table.reshape(t, leaves, classes) * _balance(y, classes)
    return Trees(features, limits, held / np.maximum(held.sum(2, keepdims=True), 1e-12))


def _best(
    bins: Integers, y: Integers, classes: int, times: Integers, node: Integers, asked: Integers
) -> tuple[Integers, Integers]:
    """The best split of each node, (T, nodes) each; everything goes left where none helps."""
    t, nodes, slots = asked.shape
    balance = _balance(y, classes)[:, None, None]
    gains = np.empty((t * nodes, slots, BINS))
    place = ((y * t + np.arange(t)[:, None]) * nodes + node) * BINS
    drawn = times.ravel().astype(np.float64)
    for slot in range(slots):
        cell = place + _values(bins, node, asked[:, :, slot])
        table = np.bincount(cell.ravel(), drawn, classes * t * nodes * BINS)
        left: Floats = table.reshape(classes, t * nodes, BINS).astype(np.float64, copy=False)
        np.cumsum(left, axis=2, out=left)
        right = left[:, :, -1:] - left
        fits = np.minimum(left.sum(0), right.sum(0)) >= LEAST
        left *= balance  # in place: most of the time goes into moving these tables
        right *= balance
        purity = _purity(left) + _purity(right)
        gains[:, slot] = np.where(fits, purity - purity[:, -1:], 0)  # the last bin: no split
    flat = gains.reshape(t, nodes, slots * BINS)
    best = flat.argmax(2)[:, :, None]
    helps = np.take_along_axis(flat, best, 2)[:, :, 0] > 1e-9
    feature = np.take_along_axis(asked, best // BINS, 2)[:, :, 0]
    return feature, np.where(helps, best[:, :, 0] % BINS, BINS)


def _purity(held: Floats) -> Floats:
    """Weight less Gini's impurity times weight, of nodes that hold these classes (K, n, b)."""
    return np.asarray(np.einsum("knb,knb->nb", held, held) / np.maximum(held.sum(0), 1e-12))


def _values(bins: Integers, node: Integers, feature: Integers) -> Integers:
    """The bin (T, N) of the feature that each image's node asks for."""
    _, n, features = bins.shape
    own = bins if bins.strides[0] else bins[:1]  # one table that all trees see
    image = np.arange(len(own))[:, None] * n + np.arange(n)
    return np.asarray(own.ravel().take(image * features + _of_node(feature, node)))


def _of_node(values: Integers, node: Integers) -> Integers:
    """The value (T, N) of each image's node, of values (T, nodes)."""
    trees, nodes = values.shape
    return np.asarray(values.ravel().take(np.arange(trees)[:, None] * nodes + node))


def _next(bins: Integers, node: Integers, feature: Integers, limit: Integers) -> Integers:
    """The node of each image one level down, (T, N)."""
    right = _values(bins, node, feature) > _of_node(limit, node)
    return np.asarray(2 * node + right)


def _balance(y: Integers, classes: int) -> Floats:
    """(K,) weights with which all classes count alike."""
    counts = np.bincount(y, minlength=classes)
    return np.asarray(len(y) / (max(1, int((counts > 0).sum())) * np.maximum(counts, 1)))
