"""The test for copying, by hand and on planted cases."""

from __future__ import annotations

import numpy as np
import pytest

from brainlens.metrics.memorisation import LEVEL, nearness
from brainlens.metrics.resampling import group_draws, interval


def test_the_share_by_hand() -> None:
    # Pairs: 0.9 beats both; 0.5 beats 0.2 and ties with 0.5: (1 + 1 + 1 + 0.5) / 4.
    found = nearness(np.array([0.9, 0.5]), np.array([0.5, 0.2]), np.array([0, 1]), resamples=0)
    assert found.share.value == pytest.approx(3.5 / 4)


def test_equal_sets_are_not_suspicious_and_nearer_ones_are() -> None:
    draw = np.random.default_rng(0)
    held, made = draw.normal(0.8, 0.05, 80), draw.normal(0.8, 0.05, 120)
    groups = np.arange(80)
    assert not nearness(made, held, groups).suspicious
    assert nearness(made + 0.1, held, groups).suspicious
    assert not nearness(made - 0.1, held, groups).suspicious


def test_few_groups_prove_less() -> None:
    draw = np.random.default_rng(1)
    held = np.repeat(draw.normal(0.8, 0.05, 4), 20)
    made = draw.normal(0.82, 0.05, 120)
    wide = nearness(made, held, np.repeat(np.arange(4), 20)).share
    tight = nearness(made, held, np.arange(80)).share
    assert wide.low is not None
    assert tight.low is not None
    assert wide.low < tight.low


def test_what_lies_beyond_and_the_interval_are_what_they_say() -> None:
    draw = np.random.default_rng(2)
    held, made = draw.normal(0.8, 0.05, 60), draw.normal(0.82, 0.05, 50)
    group = np.arange(60) // 3
    found = nearness(made, held, group, resamples=80, seed=4)
    above = (made[:, None] > held).astype(float)
    u, v = group_draws(50, 80, 4), group_draws(20, 80, 5)[:, group]
    values = [
        (above * np.outer(a, b)).sum() / (a.sum() * b.sum()) for a, b in zip(u, v, strict=True)
    ]
    assert (found.share.low, found.share.high) == pytest.approx(interval(np.array(values), LEVEL))
    assert found.beyond == (made > np.quantile(held, 0.99)).mean() > 0
    assert nearness(made, held, group) == nearness(made, held, group, resamples=1000, seed=0)
    # On the limit is not beyond it.
    assert nearness(np.array([1.0]), np.ones(9), np.arange(9), resamples=0).beyond == 0
