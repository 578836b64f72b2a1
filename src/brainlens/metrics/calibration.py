"""Owns calibration: whether 90 % sure is right 90 times in 100. Arrays in, numbers out.

Expected calibration error: Naeini et al. 2015; bins of equal width over the confidence, the
probability of the predicted class.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BINS = 10


def bin_of(confidence: Array, bins: int = BINS) -> Array:
    """(N,) number of the bin of each confidence; bin i holds (i / bins, (i + 1) / bins]."""
    return np.asarray(np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1))


def expected_calibration_error(
    confidence: Array, correct: Array, weight: Array, bins: int = BINS
) -> Array:
    """(B,) mean gap between confidence and accuracy over the bins, for (B, N) weights."""
    member = np.eye(bins)[bin_of(confidence, bins)]  # (N, bins)
    gap = weight @ (member * (correct - confidence)[:, None])  # (B, bins)
    return np.asarray(np.abs(gap).sum(1) / weight.sum(1))


def reliability(
    confidence: Array, correct: Array, bins: int = BINS
) -> list[dict[str, float | int | None]]:
    """A row a bin: bounds, count, mean confidence and accuracy (None where it is empty)."""
    place = bin_of(confidence, bins)
    rows: list[dict[str, float | int | None]] = []
    for i in range(bins):
        inside = place == i
        filled = bool(inside.any())
        rows.append(
            {
                "low": i / bins,
                "high": (i + 1) / bins,
                "count": int(inside.sum()),
                "confidence": float(confidence[inside].mean()) if filled else None,
                "accuracy": float(correct[inside].mean()) if filled else None,
            }
        )
    return rows
