"""What a step, an epoch and a phase do: rates, frozen layers, weights of classes, and seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn

from brainlens.classify.augment import Strength, sample_seeds
from brainlens.classify.batches import Batch, Pictures
from brainlens.classify.config import TrainConfig
from brainlens.classify.loop import Loop
from brainlens.classify.network import Architecture, Classifier
from brainlens.classify.optimisation import cosine_rate, frozen_layers
from brainlens.data.preprocess import Preprocessing

Tune = Literal["all", "head", "last", "early", "two-phase"]
Balance = Literal["none", "weights", "sampling"]

CLASSES = np.array([0, 0, 0, 0, 1, 1, 2, 0])


def network_of(backbone: str) -> Classifier:
    """A small classifier of three classes, random weights."""
    torch.manual_seed(0)
    return Classifier(Architecture(backbone, 32, "average", (), "relu", 0.0), 3)


def loop_of(config: TrainConfig, backbone: str = "cnn_c") -> Loop:
    """A loop over eight pictures, with a trainer that has not begun."""
    pictures = np.random.default_rng(0).integers(0, 256, (8, 32, 32), np.uint8)
    data = Pictures(pictures, CLASSES)
    loop = Loop(network_of(backbone), config, Preprocessing(32), {"train": data, "val": data})
    loop.trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    return loop


def batch_of(samples: Sequence[int]) -> Batch:
    """A batch of pictures that differ by their sample's number."""
    pictures = torch.tensor(samples, dtype=torch.uint8)[:, None, None, None]
    return Batch(
        pictures.expand(-1, 1, 32, 32) * 20, torch.from_numpy(CLASSES[samples]), list(samples)
    )


# --- the learning rate --------------------------------------------------------------------------
def test_the_cosine_rate_by_hand() -> None:
    config = TrainConfig(tune="all", epochs=10, learning_rate=0.4, warmup_epochs=2)
    expected = {
        0.5: 0.4 * 0.25,  # a quarter through the warm-up
        1.0: 0.4 * 0.5,
        2.0: 0.4,  # the top
        4.0: 0.4 * (1 + math.cos(math.pi / 4)) / 2,  # a quarter of the remaining 8
        6.0: 0.4 * 0.5,  # half way down
        8.0: 0.4 * (1 - math.cos(math.pi / 4)) / 2,
    }
    for epoch, rate in expected.items():
        assert cosine_rate(config, epoch) == pytest.approx(rate)


def test_two_phases_are_constant_for_the_head_and_then_a_lower_cosine() -> None:
    config = TrainConfig(
        tune="two-phase", head_epochs=2, epochs=7, learning_rate=0.3, warmup_epochs=1
    )
    assert [cosine_rate(config, epoch) for epoch in (0, 0.5, 1.99)] == [0.3] * 3
    assert cosine_rate(config, 2.5) == pytest.approx(0.03 * 0.5)  # a tenth; half of the warm-up
    assert cosine_rate(config, 3) == pytest.approx(0.03)
    assert cosine_rate(config, 5) == pytest.approx(0.03 * 0.5)  # half of the remaining 4
    given = TrainConfig(tune="two-phase", fine_learning_rate=0.2, warmup_epochs=0)
    assert cosine_rate(given, 1) == pytest.approx(0.2)


@pytest.mark.parametrize("tune", ["all", "two-phase"])
@pytest.mark.parametrize("warmup", [0.0, 0.5, 50.0])
@pytest.mark.parametrize("epochs", [1, 2, 10])
def test_the_cosine_rate_is_never_zero_and_never_above_its_top(
    tune: Tune, warmup: float, epochs: int
) -> None:
    config = TrainConfig(tune=tune, epochs=epochs, warmup_epochs=warmup, learning_rate=0.1)
    rates = [cosine_rate(config, epoch) for epoch in np.linspace(0, epochs, 101)]
    assert min(rates) > 0
    assert max(rates) <= 0.1


# --- what trains --------------------------------------------------------------------------------
def trained_parts(network: Classifier, config: TrainConfig) -> set[str]:
    """Which layers of the backbone a run of this config changes, by name."""
    frozen = {id(module) for module in frozen_layers(network, config)}
    return {
        name.removeprefix("network.")
        for name, module in network.backbone.named_modules()
        if list(module.parameters(recurse=False)) and id(module) not in frozen
    }


@pytest.mark.parametrize(
    ("tune", "blocks", "trained"),
    [
        ("head", 2, set()),
        ("last", 1, {"6"}),
        ("last", 2, {"3", "6"}),
        ("last", 9, {"0", "3", "6"}),
        ("early", 2, {"0", "3"}),
        ("early", 9, {"0", "3", "6"}),
        ("all", 2, {"0", "3", "6"}),
        ("two-phase", 2, {"0", "3", "6"}),
    ],
)
def test_the_layers_of_a_plain_network_that_train(
    tune: Tune, blocks: int, trained: set[str]
) -> None:
    # convolution, ReLU and pooling thrice: the convolutions are 0, 3 and 6
    assert trained_parts(network_of("cnn_c"), TrainConfig(tune=tune, tune_blocks=blocks)) == trained


def test_the_blocks_of_a_deep_network_that_train() -> None:
    network = network_of("mobilenetv2")

    def parts(tune: Tune, blocks: int) -> set[str]:
        names = trained_parts(network, TrainConfig(tune=tune, tune_blocks=blocks))
        return {".".join(name.split(".")[:3]) if "blocks" in name else name for name in names}

    assert parts("head", 2) == set()
    assert parts("last", 1) == {"blocks.6.0", "conv_head", "bn2"}
    assert parts("last", 2) == {"blocks.5.2", "blocks.6.0", "conv_head", "bn2"}
    assert parts("early", 1) == {"conv_stem", "bn1"}
    assert parts("early", 3) == {"conv_stem", "bn1", "blocks.0.0", "blocks.1.0"}
    assert len(parts("all", 2)) == len(parts("two-phase", 2)) == 2 + 17 + 2


def test_frozen_layers_keep_weights_and_batch_statistics_and_the_others_change() -> None:
    config = TrainConfig(tune="last", tune_blocks=1, augment="none", optimizer="sgd")
    loop = loop_of(config, "mobilenetv2")
    before = {key: value.clone() for key, value in loop.network.state_dict().items()}
    optimizer = loop.configure_optimizers()
    loop.train()
    loop.on_train_epoch_start()
    torch.autograd.backward(loop.training_step(batch_of(range(8)), 0))
    optimizer.step()
    after = loop.network.state_dict()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    last = ("backbone.network.blocks.6", "backbone.network.conv_head", "backbone.network.bn2")
    assert moved
    assert all(key.startswith((*last, "head.")) for key in moved)
    assert {"head.1.weight", "backbone.network.bn2.running_mean"} <= moved


@pytest.mark.parametrize(
    ("tune", "head_epochs", "resting"),
    [("head", 0, True), ("two-phase", 1, True), ("two-phase", 0, False), ("all", 1, False)],
)
def test_the_backbone_rests_while_the_head_trains_alone(
    tune: Tune, head_epochs: int, resting: bool
) -> None:
    config = TrainConfig(
        tune=tune, head_epochs=head_epochs, augment="none", schedule="constant", learning_rate=0.5
    )
    loop = loop_of(config)
    loop.trainer.strategy.optimizers = [loop.configure_optimizers()]
    loop.train()
    loop.on_train_epoch_start()
    assert loop.head_only == resting
    assert loop.network.backbone.training == (not resting)
    second_phase = tune == "two-phase" and not resting
    assert loop.trainer.optimizers[0].param_groups[0]["lr"] == (0.05 if second_phase else 0.5)
    torch.autograd.backward(loop.training_step(batch_of(range(8)), 0))
    assert all((p.grad is None) == resting for p in loop.network.backbone.parameters())
    head = loop.network.head
    assert isinstance(head, torch.nn.Module)
    assert all(p.grad is not None for p in head.parameters())


# --- classes and losses -------------------------------------------------------------------------
def test_weights_of_the_classes_by_hand_and_by_scikit_learn() -> None:
    balance = loop_of(TrainConfig(balance="weights")).balance
    assert balance is not None
    assert balance.tolist() == pytest.approx([8 / 15, 8 / 6, 8 / 3])  # 5, 2 and 1 of 8
    expected = compute_class_weight("balanced", classes=np.arange(3), y=CLASSES)
    assert balance.tolist() == pytest.approx(expected.tolist())
    assert float(balance[torch.from_numpy(CLASSES)].mean()) == pytest.approx(1)
    assert loop_of(TrainConfig(balance="none")).balance is None
    assert loop_of(TrainConfig(balance="sampling")).balance is None


def test_the_loss_is_the_weighted_smoothed_cross_entropy_by_hand() -> None:
    config = TrainConfig(balance="weights", augment="none", label_smoothing=0.1, tune="all")
    loop = loop_of(config)
    loop.eval()  # no dropout; the step itself is the same
    batch = batch_of([0, 4, 6])
    with torch.no_grad():
        logs = loop(batch.pictures.float() / 255).log_softmax(1)
        loss = float(loop.training_step(batch, 0))
    weight = np.array([8 / 15, 8 / 6, 8 / 3])  # of samples 0, 4 and 6: classes 0, 1 and 2
    sure = (weight * -logs.diagonal().numpy()).sum() / weight.sum()
    smooth = (-logs.numpy() * weight).sum(1).mean() / weight.sum()
    assert loss == pytest.approx(0.9 * sure + 0.1 * smooth, rel=1e-5)


# --- seeds of the augmentation ------------------------------------------------------------------
@pytest.fixture
def used_seeds(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The seeds that the augmentation was given, a list a step."""
    given: list[list[int]] = []

    def listen(
        pictures: Tensor, seeds: list[int], strength: Strength | None, whole: Tensor | None = None
    ) -> Tensor:
        given.append(seeds)
        return pictures

    monkeypatch.setattr("brainlens.classify.loop.augment", listen)
    return given


def test_what_happens_to_a_sample_depends_on_run_epoch_and_sample_alone(
    used_seeds: list[list[int]],
) -> None:
    loop = loop_of(TrainConfig(balance="none", seed=5, tune="all"))
    loop.training_step(batch_of([3, 1]), 0)
    loop.training_step(batch_of([1, 2, 3]), 4)
    assert used_seeds == [sample_seeds(5, 0, [3, 1]), sample_seeds(5, 0, [1, 2, 3])]


def test_a_sample_drawn_twice_by_balanced_sampling_looks_new_each_time(
    used_seeds: list[list[int]],
) -> None:
    loop = loop_of(TrainConfig(balance="sampling", batch_size=3, tune="all"))
    loop.training_step(batch_of([6, 6, 6]), 0)
    loop.training_step(batch_of([6, 6, 6]), 1)
    assert len({seed for seeds in used_seeds for seed in seeds}) == 6


# --- the epoch's figures ------------------------------------------------------------------------
def test_the_figures_of_an_epoch_equal_those_of_all_its_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = loop_of(TrainConfig(tune="all"))
    loop.eval()
    logged: dict[str, Any] = {}
    monkeypatch.setattr(loop, "log_dict", lambda figures, **_: logged.update(figures))
    with torch.no_grad():
        for samples in ([0, 1, 2, 3, 4], [5, 6, 7]):
            loop.validation_step(batch_of(samples), 0)
        loop.on_validation_epoch_end()
        logits = loop(batch_of(range(8)).pictures.float() / 255)
    true = torch.from_numpy(CLASSES)
    right = (logits.argmax(1) == true).double()
    recalls = [float(right[true == c].mean()) for c in range(3)]
    assert logged["val_accuracy"] == pytest.approx(float(right.mean()))
    assert logged["val_balanced_accuracy"] == pytest.approx(sum(recalls) / 3)
    assert logged["val_loss"] == pytest.approx(float(nn.CrossEntropyLoss()(logits, true)))
