"""Owns how far made pictures are from real ones, in any features. Arrays in, numbers out.

FID (Heusel et al. 2017): Frechet distance of two Gaussians; it falls with the number of pictures,
so compare only equal numbers. KID (Binkowski et al. 2018): squared MMD with a cubic kernel,
unbiased, so it may be below 0. Precision and recall (Kynkaanniemi et al. 2019), density and
coverage (Naeem et al. 2020): whose pictures lie in whose manifold. All features are (N, D).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlens.metrics.resampling import group_draws, interval

Array = np.ndarray[Any, Any]
NEAREST = 5  # neighbours that span the manifold around a picture


@dataclass(frozen=True)
class Figure:
    """A figure and its interval over resamples; None where that is undefined."""

    value: float
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """As JSON has it."""
        return {"value": self.value, "low": self.low, "high": self.high}


# --- FID -----------------------------------------------------------------------------------------
def fid(real: Array, made: Array) -> float:
    """The Frechet distance of two sets of at least two pictures each."""
    a, b = _root(real), _root(made)
    # tr sqrt(Sa Sb) is the sum of singular values of A B', where Sa = A'A and Sb = B'B: exact for
    # covariances of any rank, and no square root of a matrix.
    crossed = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    gap = real.mean(0, dtype=np.float64) - made.mean(0, dtype=np.float64)
    return float(gap @ gap + (a * a).sum() + (b * b).sum() - 2 * crossed)


def _root(features: Array) -> Array:
    """A with A'A the covariance: (min(N, D), D)."""
    centred = features.astype(np.float64) - features.mean(0, dtype=np.float64)
    centred /= np.sqrt(len(features) - 1)
    few = len(centred) <= centred.shape[1]
    return centred if few else np.asarray(np.linalg.qr(centred, mode="r"))


def fid_figure(
    real: Array, made: Array, *, resamples: int = 50, level: float = 0.95, seed: int = 0
) -> Figure:
    """FID with an interval.

    Pictures drawn twice make a set look narrower, which lifts every resample; their spread around
    their own median is what counts, and is laid around the figure.
    """
    draw = np.random.default_rng(seed)
    values = np.array(
        [
            fid(real[draw.integers(len(real), size=len(real))],
                made[draw.integers(len(made), size=len(made))])
            for _ in range(resamples)
        ]
    )  # fmt: skip
    value = fid(real, made)
    shifted = value + values - np.median(values) if resamples else values
    low, high = interval(shifted, level) or (None, None)
    return Figure(value, low, high)


# --- KID -----------------------------------------------------------------------------------------
def kid(real: Array, made: Array) -> float:
    """The unbiased squared MMD over all pictures, kernel (x.y / D + 1)^3."""
    return float(_mmd(*_kernels(real, made), np.ones((1, len(real))), np.ones((1, len(made))))[0])


def _kernels(real: Array, made: Array) -> tuple[Array, Array, Array]:
    """Real with real, made with made, real with made; the diagonals of the first two left out."""

    def kernel(x: Array, y: Array) -> Array:
        product: Array = x.astype(np.float64) @ y.astype(np.float64).T
        return np.asarray((product / x.shape[1] + 1) ** 3)

    of_real, of_made = kernel(real, real), kernel(made, made)
    np.fill_diagonal(of_real, 0)
    np.fill_diagonal(of_made, 0)
    return of_real, of_made, kernel(real, made)


def _mmd(of_real: Array, of_made: Array, across: Array, u: Array, v: Array) -> Array:
    """(B,) values where u (B, N) and v (B, M) say how often each picture counts.

    A picture is never compared with itself, nor with its own second draw: no resample is lifted.
    """

    def within(k: Array, w: Array) -> Array:
        pairs = w.sum(1) ** 2 - (w * w).sum(1)
        return np.asarray(((w @ k) * w).sum(1) / pairs)

    crossed = ((u @ across) * v).sum(1) / (u.sum(1) * v.sum(1))
    return np.asarray(within(of_real, u) + within(of_made, v) - 2 * crossed)


def kid_draws(
    real: Array, made: Array, *, resamples: int = 1000, seed: int = 0, stream: int = 1,
    group: Array | None = None,
) -> Array:  # fmt: skip
    """(B,) KIDs of resamples; `group` (N,) 0..G-1 resamples whole groups of real pictures.

    Of one seed the real pictures are drawn alike for every generator, so that the difference of
    two generators' draws is a paired one; `stream` tells their own pictures' draws apart.
    """
    own = np.arange(len(real)) if group is None else group
    u = group_draws(int(own.max()) + 1, resamples, seed)[:, own]
    v = np.random.default_rng([seed, stream]).multinomial(
        len(made), np.full(len(made), 1 / len(made)), size=resamples
    )
    return _mmd(*_kernels(real, made), u, v.astype(float))


def kid_figure(
    real: Array, made: Array, *, resamples: int = 1000, level: float = 0.95, seed: int = 0,
    group: Array | None = None,
) -> Figure:  # fmt: skip
    """KID with an interval."""
    values = kid_draws(real, made, resamples=resamples, seed=seed, group=group)
    low, high = interval(values, level) or (None, None)
    return Figure(kid(real, made), low, high)


def kid_difference(
    real: Array, first: Array, second: Array, *, resamples: int = 1000, level: float = 0.95,
    seed: int = 0, group: Array | None = None,
) -> Figure:  # fmt: skip
    """How much larger the first generator's KID is than the second's, paired over real pictures."""
    one, other = (
        kid_draws(real, made, resamples=resamples, seed=seed, stream=stream, group=group)
        for stream, made in enumerate((first, second), 1)
    )
    low, high = interval(one - other, level) or (None, None)
    return Figure(kid(real, first) - kid(real, second), low, high)


# --- manifolds -----------------------------------------------------------------------------------
def distances(x: Array, y: Array) -> Array:
    """Euclidean, (N, M) float64."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    squares = (x * x).sum(1)[:, None] + (y * y).sum(1) - 2 * (x @ y.T)
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def prdc(
    real: Array, made: Array, *, nearest: int = NEAREST, resamples: int = 1000,
    level: float = 0.95, seed: int = 0,
) -> dict[str, Figure]:  # fmt: skip
    """Precision, recall, density, coverage.

    Intervals are over the pictures that are counted (made ones in precision and density, real ones
    in recall and coverage); the manifolds they fall into stay as they are.
    """
    across = distances(real, made)  # (N, M)
    near_real = _radii(real, nearest)[:, None]  # (N, 1)
    near_made = _radii(made, nearest)  # (M,)
    inside = across < near_real
    counted = {
        "precision": inside.any(0),
        "recall": (across < near_made).any(1),
        "density": inside.sum(0) / nearest,
        "coverage": across.min(1) < near_real[:, 0],
    }
    return {
        name: mean_figure(each.astype(float), resamples=resamples, level=level, seed=seed)
        for name, each in counted.items()
    }


def _radii(features: Array, nearest: int) -> Array:
    """(N,) distance of each picture to its `nearest`-th neighbour of the same set."""
    if len(features) <= nearest:
        raise ValueError(f"{len(features)} pictures have no {nearest}th neighbour")
    own = distances(features, features)
    np.fill_diagonal(own, 0)
    return np.asarray(np.partition(own, nearest, axis=1)[:, nearest])


def mean_figure(
    values: Array, *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Figure:
    """A mean over pictures."""
    draws = group_draws(len(values), resamples, seed) @ values / len(values)
    low, high = interval(draws, level) or (None, None)
    return Figure(float(values.mean()), low, high)


def spread(features: Array) -> float:
    """The mean distance between two pictures of a set: its diversity."""
    own = distances(features, features)
    return float(own.sum() / (len(own) * (len(own) - 1)))
