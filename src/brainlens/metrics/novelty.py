"""Owns novelty: how far a picture is from everything the model learned from.

The mean distance to the nearest training pictures in the model's embedding (Sun et al., "Out-of-
Distribution Detection with Deep Nearest Neighbors", ICML 2022). Enters: embeddings. Leaves: scores,
larger is stranger, and the threshold that leaves a stated share of known pictures in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

NEIGHBOURS = 5


def distances(queries: Array, bank: Array) -> Array:
    """(N, M) Euclidean distances of (N, D) to (M, D)."""
    own, other = (np.einsum("nd,nd->n", one, one) for one in (queries, bank))
    squares = own[:, None] + other - 2 * queries @ bank.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def novelty(apart: Array, neighbours: int = NEIGHBOURS) -> Array:
    """(N,) mean distance to the nearest of (N, M) distances."""
    k = min(neighbours, apart.shape[1])
    return np.asarray(np.partition(apart, k - 1, 1)[:, :k].mean(1))


def threshold(known: Array, kept: float) -> float:
    """The score that leaves the share `kept` of known pictures below or at it."""
    return float(np.quantile(known, kept, method="higher"))
