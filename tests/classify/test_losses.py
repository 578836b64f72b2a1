"""What is known of a picture's class counts, and no more."""

from __future__ import annotations

import math

import torch

from brainlens.classify.losses import partial_loss

LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])


def loss(classes: list[int], rows: list[int], weight: torch.Tensor | None = None) -> float:
    return float(
        partial_loss(
            LOGITS[rows], torch.tensor(classes), background=1, weight=weight, label_smoothing=0.0
        )
    )


def test_known_classes_cost_their_cross_entropy() -> None:
    by_hand = -math.log(math.exp(2) / (math.exp(2) + 2))
    assert math.isclose(loss([0], [0]), by_hand, rel_tol=1e-5)


def test_a_picture_of_some_tumour_costs_the_chance_of_none() -> None:
    # Of three equal chances two are no background.
    assert math.isclose(loss([-1], [2]), math.log(3 / 2), rel_tol=1e-5)
    sure = -math.log(2 / (2 + math.e))
    assert math.isclose(loss([-1], [1]), sure, rel_tol=1e-5)


def test_both_kinds_count_by_their_pictures() -> None:
    full, some = loss([0], [0]), loss([-1], [2])
    assert math.isclose(loss([0, -1], [0, 2]), (full + some) / 2, rel_tol=1e-5)


def test_weights_balance_the_known_classes_alone() -> None:
    weight = torch.tensor([3.0, 1.0, 1.0])
    full = loss([0, 1], [0, 1], weight)
    by_hand = (3 * loss([0], [0]) + loss([1], [1])) / 4
    assert math.isclose(full, by_hand, rel_tol=1e-5)
    assert math.isclose(loss([0, 1, -1], [0, 1, 2], weight), (2 * full + loss([-1], [2])) / 3,
                        rel_tol=1e-5)  # fmt: skip
