"""An epoch is fair: every sample once, equal work for every process, the same on resuming."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brainlens.classify.batches import EpochOrder, Pictures, epoch_order, loader


def data(n: int, classes: int = 3) -> Pictures:
    """N pictures of 4 x 4 pixels that show their own number."""
    pictures = np.arange(n, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    return Pictures(pictures, np.arange(n, dtype=np.int64) % classes)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 9), st.integers(0, 9))
@settings(deadline=None, max_examples=50)
def test_an_epoch_holds_every_sample_exactly_once(
    n: int, batch_size: int, seed: int, epoch: int
) -> None:
    order = epoch_order(np.zeros(n, dtype=int), seed=seed, epoch=epoch, balanced=False)
    batches = EpochOrder(order, batch_size, even=False)
    assert sorted(i for batch in batches for i in batch) == list(range(n))
    assert sorted(i for batch in EpochOrder(order, batch_size) for i in batch) == list(range(n))
    assert len(batches) == -(-n // batch_size)
    assert all(len(batch) == batch_size for batch in list(batches)[:-1])


@given(st.integers(2, 90), st.integers(1, 20), st.integers(2, 4))
@settings(deadline=None, max_examples=50)
def test_processes_share_an_epoch_without_overlap_and_with_equally_many_steps(
    n: int, batch_size: int, processes: int
) -> None:
    order = epoch_order(np.zeros(n, dtype=int), seed=0, epoch=0, balanced=False)
    shares = [EpochOrder(order, batch_size, rank, processes) for rank in range(processes)]
    held = [i for share in shares for batch in share for i in batch]
    assert len({len(share) for share in shares}) == 1
    assert len({tuple(map(len, share)) for share in shares}) == 1
    assert len(set(held)) == len(held) == n - n % processes


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    classes = np.arange(40) % 4
    for balanced in (False, True):
        orders = {
            (seed, epoch): epoch_order(classes, seed=seed, epoch=epoch, balanced=balanced).tolist()
            for seed in range(3)
            for epoch in range(3)
        }
        assert len({tuple(order) for order in orders.values()}) == 9
        np.random.default_rng(0).random(5)
        np.random.seed(3)  # the global generator plays no part
        again = epoch_order(classes, seed=2, epoch=1, balanced=balanced)
        assert again.tolist() == orders[2, 1]


def test_balanced_draws_every_class_equally_often() -> None:
    classes = np.repeat([0, 1, 2], [1500, 400, 100])
    order = epoch_order(classes, seed=0, epoch=0, balanced=True)
    assert len(order) == 2000
    drawn = np.bincount(classes[order]) / 2000
    # Each share is binomial: 1 / 3, standard error 0.0105.
    assert np.abs(drawn - 1 / 3).max() < 0.04
    # And within a class every picture: 100 of them, drawn 6.7 times each; Poisson: 0.1 never.
    times = np.bincount(order[classes[order] == 2] - 1900, minlength=100)
    assert (times == 0).sum() <= 3
    assert times.max() <= 18


def test_a_batch_brings_the_pictures_classes_and_numbers_of_its_samples() -> None:
    source = data(10)
    batches = list(loader(source, EpochOrder(np.array([7, 2, 9, 0, 4]), 3)))
    assert [batch.samples for batch in batches] == [[7, 2, 9], [0, 4]]
    first = batches[0]
    assert first.pictures.shape == (3, 1, 4, 4)
    assert first.pictures.dtype == torch.uint8
    assert first.pictures[:, 0, 0, 0].tolist() == [7, 2, 9]
    assert first.classes.tolist() == [7 % 3, 2 % 3, 9 % 3]


def test_a_loader_goes_through_the_whole_epoch_and_can_be_gone_through_again() -> None:
    source = data(11)
    batches = loader(source, EpochOrder(np.arange(11), 4))
    for _ in range(2):
        assert [i for batch in batches for i in batch.samples] == list(range(11))


def test_pictures_may_lie_on_disk(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("memmap") / "pictures.npy"
    np.save(path, data(6).pictures)
    mapped = Pictures(np.load(path, mmap_mode="r"), np.arange(6))
    (batch,) = loader(mapped, EpochOrder(np.array([5, 1]), 8))
    assert batch.pictures[:, 0, 2, 3].tolist() == [5, 1]


def test_the_last_image_alone_joins_the_batch_before() -> None:
    assert [len(batch) for batch in EpochOrder(np.arange(9), 4)] == [4, 5]
    assert [len(batch) for batch in EpochOrder(np.arange(9), 4, even=False)] == [4, 4, 1]
    assert [len(batch) for batch in EpochOrder(np.arange(1), 4)] == [1]


def test_validation_is_shared_without_leaving_any_image_out() -> None:
    shares = [EpochOrder(np.arange(11), 4, rank, 2, even=False) for rank in range(2)]
    assert sorted(i for share in shares for batch in share for i in batch) == list(range(11))
