"""FID, KID and manifolds against torch-fidelity and prdc, and on sets whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainlens.metrics.fidelity import (
    Figure,
    distances,
    fid,
    fid_figure,
    kid,
    kid_difference,
    kid_draws,
    kid_figure,
    mean_figure,
    prdc,
    spread,
)
from brainlens.metrics.resampling import interval

Array = np.ndarray[Any, Any]


def cloud(count: int, width: int, *, seed: int, middle: float = 0.0) -> Array:
    """Normal features, of unequal spread along the axes."""
    draw = np.random.default_rng(seed)
    scale = np.linspace(0.2, 2, width)
    return (draw.normal(middle, 1, (count, width)) * scale).astype(np.float32)


def test_fid_of_two_lines_by_hand() -> None:
    # On one axis: means 0 and 3, variances 2 and 8: 9 + 2 + 8 - 2 sqrt(16) = 11.
    one, other = np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]])
    assert fid(one, other) == pytest.approx(11)
    assert fid(one, one) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("real", "made", "width"), [(40, 50, 64), (300, 200, 24)])
def test_fid_agrees_with_torch_fidelity(real: int, made: int, width: int) -> None:
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("torch_fidelity.metric_fid")
    x, y = cloud(real, width, seed=0), cloud(made, width, seed=1, middle=0.3)
    stats = [theirs.fid_features_to_statistics(torch.from_numpy(f.astype(np.float64)))
             for f in (x, y)]  # fmt: skip
    expected = theirs.fid_statistics_to_metric(*stats, verbose=False)
    assert fid(x, y) == pytest.approx(expected["frechet_inception_distance"], abs=1e-3)


def test_kid_agrees_with_torch_fidelity() -> None:
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("torch_fidelity.metric_kid")
    x, y = cloud(60, 32, seed=0), cloud(60, 32, seed=1, middle=0.4)
    expected = theirs.kid_features_to_metric(
        torch.from_numpy(x.astype(np.float64)), torch.from_numpy(y.astype(np.float64)),
        kid_subsets=1, kid_subset_size=60, kid_kernel="poly", kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1, rng_seed=0, verbose=False,
    )  # fmt: skip
    assert kid(x, y) == pytest.approx(expected["kernel_inception_distance_mean"], abs=1e-9)


def test_manifolds_agree_with_prdc() -> None:
    theirs = pytest.importorskip("prdc")
    x, y = cloud(80, 16, seed=0), cloud(70, 16, seed=1, middle=0.5)
    expected = theirs.compute_prdc(x.astype(np.float64), y.astype(np.float64), nearest_k=5)
    found = {name: figure.value for name, figure in prdc(x, y, resamples=0).items()}
    assert found == pytest.approx(expected, abs=1e-9)
    assert 0 < found["precision"] < 1


def test_equal_clouds_have_no_distance_and_a_far_one_has() -> None:
    x, same, far = (cloud(150, 16, seed=s, middle=m) for s, m in ((0, 0), (1, 0), (2, 1)))
    near = kid_figure(x, same, resamples=300)
    assert near.low is not None
    assert near.high is not None
    assert near.low < 0 < near.high  # unbiased: nothing lifts it above zero
    away = kid_figure(x, far, resamples=300)
    assert away.low is not None
    assert away.low > near.high
    wide = fid_figure(x, far, resamples=20)
    assert wide.low is not None
    assert wide.high is not None
    assert wide.low < wide.value < wide.high


def test_the_better_generator_is_told_and_equal_ones_are_not() -> None:
    x = cloud(150, 16, seed=0)
    poor, good, as_good = (cloud(150, 16, seed=s, middle=m) for s, m in ((1, 1), (2, 0), (3, 0)))
    clear = kid_difference(x, poor, good, resamples=300)
    assert clear.low is not None
    assert clear.low > 0
    none = kid_difference(x, as_good, good, resamples=300)
    assert none.low is not None
    assert none.high is not None
    assert none.low < 0 < none.high


def test_groups_drawn_whole_widen_the_interval() -> None:
    # Fifteen patients of ten like slices each say less than 150 patients.
    draw = np.random.default_rng(0)
    patient = np.repeat(draw.normal(0, 1, (15, 8)), 10, axis=0)
    real = patient + draw.normal(0, 0.05, patient.shape)
    made = draw.normal(0.5, 1, (200, 8))
    alone = kid_figure(real, made, resamples=400)
    whole = kid_figure(real, made, resamples=400, group=np.repeat(np.arange(15), 10))
    assert None not in (alone.low, alone.high, whole.low, whole.high)
    assert whole.high - whole.low > 1.5 * (alone.high - alone.low)  # type: ignore[operator]


def test_a_collapsed_generator_is_precise_and_covers_nothing() -> None:
    real = cloud(100, 8, seed=0)
    collapsed = np.repeat(real[:1], 100, axis=0) + cloud(100, 8, seed=1) * 1e-3
    found = prdc(real, collapsed)
    assert found["precision"].value == 1
    assert found["recall"].value < 0.05
    assert found["coverage"].value < 0.15
    assert spread(collapsed) < 0.01 * spread(real)


def test_too_few_pictures_for_a_manifold_say_so() -> None:
    with pytest.raises(ValueError, match="5 pictures have no 5th neighbour"):
        prdc(cloud(5, 4, seed=0), cloud(9, 4, seed=1))


def test_a_mean_carries_an_interval_around_it() -> None:
    figure = mean_figure(np.repeat([0.0, 1.0], 50), resamples=500)
    # The standard error of a share of one half among 100 is 0.05.
    assert figure.value == 0.5
    assert figure.low == pytest.approx(0.4, abs=0.02)
    assert figure.high == pytest.approx(0.6, abs=0.02)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 9), st.integers(0, 99))
def test_distances_hold_for_any_shape(n: int, m: int, width: int, seed: int) -> None:
    x, y = cloud(n, width, seed=seed), cloud(m, width, seed=seed + 1)
    plain = np.sqrt(((x[:, None].astype(float) - y[None].astype(float)) ** 2).sum(-1))
    np.testing.assert_allclose(distances(x, y), plain, atol=1e-6)
    assert fid(x, y) >= -1e-9
    assert fid(x, y) == pytest.approx(fid(y, x), abs=1e-9)


def test_the_figures_are_what_they_say() -> None:
    """Value, seed, resamples and level reach the arithmetic; the defaults are those stated."""
    x, y, z = (cloud(40, 6, seed=s, middle=m) for s, m in ((0, 0), (1, 0.5), (2, 1.5)))
    group = np.arange(40) // 4
    assert kid_figure(x, y).value == kid(x, y)
    assert kid_figure(x, y) == kid_figure(x, y, resamples=1000, level=0.95, seed=0)
    draws = kid_draws(x, y, resamples=90, seed=3, group=group)
    told = kid_figure(x, y, resamples=90, level=0.8, seed=3, group=group)
    assert (told.low, told.high) == interval(draws, 0.8)
    assert fid_figure(x, y) == fid_figure(x, y, resamples=50, level=0.95, seed=0)
    assert fid_figure(x, y) != fid_figure(x, y, seed=1)
    assert fid_figure(x, y, resamples=0) == Figure(fid(x, y), None, None)
    wide, narrow = (fid_figure(x, y, level=level) for level in (0.95, 0.5))
    assert wide.low is not None
    assert narrow.low is not None
    assert wide.low < narrow.low
    one, other = (
        kid_draws(x, made, resamples=90, seed=3, stream=stream, group=group)
        for stream, made in ((1, z), (2, y))
    )
    paired = kid_difference(x, z, y, resamples=90, level=0.8, seed=3, group=group)
    assert paired.value == kid(x, z) - kid(x, y) > 0
    assert (paired.low, paired.high) == interval(one - other, 0.8)
    assert kid_difference(x, z, y) == kid_difference(x, z, y, resamples=1000, level=0.95, seed=0)


def test_a_resample_s_fid_is_laid_around_the_figure() -> None:
    x, y = cloud(30, 6, seed=0), cloud(30, 6, seed=1)
    draw = np.random.default_rng(7)
    values = np.array([fid(x[draw.integers(30, size=30)], y[draw.integers(30, size=30)])
                       for _ in range(20)])  # fmt: skip
    told = fid_figure(x, y, resamples=20, seed=7)
    assert (told.low, told.high) == interval(fid(x, y) + values - np.median(values), 0.95)


def test_the_intervals_of_manifolds_are_those_of_means() -> None:
    x, y = cloud(60, 6, seed=0), cloud(50, 6, seed=1, middle=0.7)
    across = distances(x, y)
    radius = np.sort(distances(x, x), axis=1)[:, 3]
    density = (across < radius[:, None]).sum(0) / 3
    told = prdc(x, y, nearest=3, resamples=70, level=0.7, seed=5)["density"]
    assert told == mean_figure(density, resamples=70, level=0.7, seed=5)
    assert prdc(x, y) == prdc(x, y, nearest=5, resamples=1000, level=0.95, seed=0)
    assert mean_figure(density) == mean_figure(density, resamples=1000, level=0.95, seed=0)


def test_what_lies_on_the_edge_of_a_manifold_is_outside() -> None:
    real, made = np.array([[0.0], [0.25], [0.5]]), np.array([[-0.25], [-0.5]])
    found = prdc(real, made, nearest=1, resamples=0)
    assert {name: figure.value for name, figure in found.items()} == {
        "precision": 0, "recall": 0, "density": 0, "coverage": 0,
    }  # fmt: skip


def test_the_spread_is_the_mean_distance_of_two() -> None:
    assert spread(np.array([[0.0], [3.0], [6.0]])) == pytest.approx(4)
