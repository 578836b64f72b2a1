"""Owns label-error candidates: images whose given label a model, unasked, confidently contradicts.

Enters: out-of-fold probabilities (N, K), each row from a model that saw neither the image nor its
group, and the given labels. Leaves: candidates for a human eye, most suspect first; no verdict.
Confident learning: Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset
Labels", JAIR 70 (2021). Agrees with cleanlab's `find_label_issues(filter_by="confident_learning",
return_indices_ranked_by="normalized_margin")`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EPSILON = 1e-6  # probabilities nearer than this are equal

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Candidate:
    """One image whose label may be wrong."""

    item: int  # its row among the probabilities
    given: int  # the class it has
    guess: int  # the class it is confidently counted to
    margin: float  # normalised margin, 0 (surely wrong) to 0.5


def label_error_candidates(probabilities: ArrayLike, given: Sequence[int]) -> list[Candidate]:
    """The off-diagonal images of the confident joint, by rising normalised margin.

    Raises ValueError for probabilities that are not (N, K >= 2), finite and summing to one.
    """
    p, labels = _checked(probabilities, given)
    guess = _confident_class(p, labels)
    margin = normalised_margin(p, labels)
    suspect = (guess >= 0) & (guess != labels) & (margin + _EPSILON / 2 < 0.5)
    items = np.flatnonzero(suspect)
    return [
        Candidate(int(i), int(labels[i]), int(guess[i]), float(margin[i]))
        for i in items[np.argsort(margin[items], kind="stable")]
    ]


def confident_joint(probabilities: ArrayLike, given: Sequence[int]) -> Integers:
    """(K, K) counts: row the given label, column the class an image is confidently counted to."""
    p, labels = _checked(probabilities, given)
    guess = _confident_class(p, labels)
    counted = guess >= 0
    joint = np.zeros((p.shape[1], p.shape[1]), np.int64)
    np.add.at(joint, (labels[counted], guess[counted]), 1)
    return joint


def normalised_margin(probabilities: Floats, given: Integers) -> Floats:
    """(N,) probability of the given class less the best other, mapped from -1..1 to 0..1."""
    rows = np.arange(len(given))
    others = probabilities.copy()
    others[rows, given] = -np.inf
    return np.asarray((probabilities[rows, given] - others.max(1) + 1) / 2)


def _confident_class(p: Floats, given: Integers) -> Integers:
    """(N,) the class each image confidently belongs to, -1 for none.

    An image is confident in a class where its probability reaches the mean that the images given
    this class have for it; among several classes the most probable one of all counts.
    """
    classes = range(p.shape[1])
    thresholds = np.array(
        [p[given == k, k].mean() if (given == k).any() else np.inf for k in classes]
    )
    confident = p >= thresholds - _EPSILON
    several = confident.sum(1) > 1
    guess = np.where(several, p.argmax(1), confident.argmax(1))
    return np.where(confident.any(1), guess, -1)


def _checked(probabilities: ArrayLike, given: Sequence[int]) -> tuple[Floats, Integers]:
    """Both as arrays that fit each other."""
    p, labels = np.asarray(probabilities, np.float64), np.asarray(given, np.int64)
    if p.ndim != 2 or p.shape[1] < 2 or labels.shape != p.shape[:1]:
        raise ValueError(f"got shapes {p.shape} and {labels.shape}; expected (N, K >= 2) and (N,)")
    if labels.size and not (labels.min() >= 0 and labels.max() < p.shape[1]):
        raise ValueError(f"got labels {labels.min()}..{labels.max()} for {p.shape[1]} classes")
    if not np.isfinite(p).all() or (np.abs(p.sum(1) - 1) > 1e-3).any():
        raise ValueError("the probabilities of every image must be finite and sum to one")
    return p, labels
