"""Many heads at once end where `train` ends with each alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from brainlens.classify import heads as heads_module
from brainlens.classify import jobs as module
from brainlens.classify import pausing
from brainlens.classify.boundary import steps
from brainlens.classify.config import TrainConfig
from brainlens.classify.features import extractor, features, views_of
from brainlens.classify.heads import Head, apply_head, train_block
from brainlens.classify.jobs import Job, Material, blocks
from brainlens.classify.network import Classifier, load
from brainlens.classify.optimisation import OPTIMIZERS
from brainlens.classify.plan import plan
from brainlens.classify.stacked import RULES, Movers
from brainlens.classify.training import class_numbers, train
from brainlens.core.errors import ConfigError
from brainlens.core.seeding import seed_everything
from brainlens.data.index import read_index
from tests.classify.conftest import TINY

HEAD = dataclasses.replace(
    TINY, tune="head", augment="none", precision="32-true", balance="none", weight_decay=0.0,
    pool="average", epochs=4,
)  # fmt: skip


def material(index_path: Path, config: TrainConfig) -> Material:
    """The features that `config` learns from, one network for all."""
    index = read_index(index_path)
    architecture, preprocessing = plan(config)
    seed_everything(config.seed, "init")
    network = Classifier(architecture, 2)
    source = extractor(network, len(steps(network)), preprocessing, config, device="cpu")
    train_rows, val_rows = index.of("train"), index.of("val")
    return Material(
        tuple(np.array(features(source, index, train_rows, policy=config.augment, view=v))
              for v in views_of(config)),
        class_numbers(train_rows, index.labels),
        np.array(features(source, index, val_rows)),
        class_numbers(val_rows, index.labels),
    )  # fmt: skip


def together(index_path: Path, configs: Sequence[TrainConfig]) -> list[Head]:
    """The configs' heads, trained in as few blocks as they fit."""
    materials: dict[str, Material] = {}
    jobs: list[Job] = []
    for config in configs:
        # Random weights: the backbone differs by seed, so does what the heads stand on.
        name = f"{config.seed} {config.augment} {config.views}"
        materials.setdefault(name, material(index_path, config))
        jobs.append(Job(config, plan(config)[0], name))
    heads: dict[int, Head] = {}
    for block in blocks(jobs):
        trained = train_block([jobs[n] for n in block], materials, 2)
        heads |= dict(zip(block, trained, strict=True))
    return [heads[n] for n in range(len(configs))]


def alone(index_path: Path, run: Path, config: TrainConfig) -> tuple[dict[str, torch.Tensor], Any]:
    """The head that `train` ends with, backbone run every epoch."""
    done = train(index_path, run, config, cached=False)
    network = load(run / "model.safetensors").network
    assert isinstance(network, Classifier)
    return dict(network.head.state_dict()), done


CASES: dict[str, list[dict[str, Any]]] = {
    "rates and dropouts": [
        {"learning_rate": rate, "dropout": share}
        for rate in (0.03, 0.003) for share in (0.0, 0.5)
    ],
    "seeds": [{"seed": 0}, {"seed": 1}, {"seed": 2}],
    "two arms": [{"augment": "none"}, {"augment": "light", "views": 2}],
    "activations": [{"activation": name} for name in ("relu", "elu", "tanh")],
    "no hidden layer": [{"hidden": (), "dropout": share} for share in (0.2, 0.4)],
    "two hidden layers": [{"hidden": (6, 4), "weight_decay": decay} for decay in (0.0, 0.1)],
    "optimizers and activations in one tensor": [
        {"optimizer": "adam", "activation": "elu"}, {"optimizer": "sgd", "activation": "tanh"},
        {"optimizer": "adadelta", "activation": "elu"}, {"optimizer": "adagrad"},
    ],
    "adam": [{"optimizer": "adam", "weight_decay": 0.1}],
    "sgd": [{"optimizer": "sgd", "weight_decay": 0.1, "momentum": m} for m in (0.0, 0.9)],
    "adagrad": [{"optimizer": "adagrad", "learning_rate": 0.05, "weight_decay": 0.01}],
    "adadelta": [{"optimizer": "adadelta", "learning_rate": 1.0, "weight_decay": 0.01}],
    "cosine": [{"schedule": "cosine", "learning_rate": rate} for rate in (0.03, 0.01)],
    "constant": [{"schedule": "constant", "learning_rate": 0.03}],
    "class weights, smoothing": [{"balance": "weights", "label_smoothing": 0.1}],
    "sampling": [{"balance": "sampling", "seed": seed} for seed in (0, 3)],
    "plateau by loss": [
        {"monitor": "val_loss", "learning_rate": rate, "plateau_patience": 0, "epochs": 6}
        for rate in (0.3, 0.01)
    ],
    "patience": [{"patience": 1, "epochs": 8, "learning_rate": 0.05}],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_together_they_end_with_the_weights_of_each_alone(
    name: str, tiny_index: Path, tmp_path: Path
) -> None:
    configs = [dataclasses.replace(HEAD, **changes) for changes in CASES[name]]
    for number, (config, head) in enumerate(
        zip(configs, together(tiny_index, configs), strict=True)
    ):
        state, done = alone(tiny_index, tmp_path / str(number), config)
        assert head.best_epoch == done.best_epoch
        assert head.best_value == pytest.approx(done.best_value, abs=1e-5)
        assert head.weights.keys() == state.keys()
        for key, value in state.items():
            torch.testing.assert_close(head.weights[key], value, rtol=1e-4, atol=2e-5, msg=key)


def test_the_heads_of_a_block_do_not_touch_each_other(tiny_index: Path) -> None:
    """One head's weights are the same whoever stands beside it."""
    mild = dataclasses.replace(HEAD, learning_rate=0.003)
    wild = dataclasses.replace(HEAD, learning_rate=1e4)
    (lone,) = together(tiny_index, [mild])
    beside, _ = together(tiny_index, [mild, wild])
    for key, value in lone.weights.items():
        torch.testing.assert_close(beside.weights[key], value, rtol=1e-5, atol=1e-6)


def job(**changes: Any) -> Job:
    config = dataclasses.replace(HEAD, **changes)
    return Job(config, plan(config)[0], f"{config.augment}")


def test_blocks_hold_what_one_tensor_can() -> None:
    rates = [job(learning_rate=rate, seed=seed) for rate in (0.1, 0.2) for seed in (0, 1, 2)]
    assert [sorted(block) for block in blocks(rates)] == [[0, 1, 2, 3, 4, 5]]
    mixed = [job(), job(optimizer="sgd"), job(activation="elu"), job(hidden=(4,)), job(epochs=9)]
    assert sorted(sorted(block) for block in blocks(mixed)) == [[0, 1, 2], [3], [4]]
    # A variant that lacks a seed cannot stand in the rectangle; a twin is trained as asked.
    ragged = [job(seed=0), job(seed=1), job(dropout=0.5, seed=0), job(seed=0)]
    found = blocks(ragged)
    assert sorted(n for block in found for n in block) == [0, 1, 2, 3]
    assert [0, 1] in [sorted(block) for block in found]


def test_a_block_is_of_limited_size_and_no_row_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 7)
    rows = [job(learning_rate=r, seed=s) for r in (0.1, 0.2, 0.3, 0.4, 0.5) for s in (0, 1)]
    found = sorted(sorted(block) for block in blocks(rows))
    assert found == [[0, 1, 2, 3], [4, 5, 6, 7, 8, 9]] or found == [
        [0, 1], [2, 3, 4, 5], [6, 7, 8, 9],
    ]  # fmt: skip


def test_blocks_for_several_workers_are_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPREAD", 4)
    rows = [job(learning_rate=r, seed=s) for r in (0.1, 0.2, 0.3) for s in (0, 1)]
    assert [len(block) for block in blocks(rows)] == [6]
    assert sorted(len(block) for block in blocks(rows, spread=True)) == [2, 4]


def test_only_heads_train_together() -> None:
    with pytest.raises(ConfigError, match="tune = 'head'"):
        train_block([job(tune="last")], {}, 2)


def test_probabilities_are_the_network_s(tiny_index: Path) -> None:
    config = dataclasses.replace(HEAD, hidden=(6, 4), activation="elu")
    (head,) = together(tiny_index, [config])
    network = Classifier(plan(config)[0], 2).eval()
    network.head.load_state_dict(head.weights)
    x = np.random.default_rng(0).random((5, 64), np.float32)
    with torch.no_grad():
        expected = network.head(torch.from_numpy(x)).double().softmax(1)
    np.testing.assert_allclose(apply_head(head, plan(config)[0], x), expected, atol=1e-7)


# --- killed in the middle -----------------------------------------------------------------------
def test_a_killed_block_goes_on_from_the_epoch_it_had_reached(
    tiny_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And ends with the very weights, figures and history of one that was never stopped."""
    names: Any = ("adam", "sgd", "adadelta", "adagrad")
    base = dataclasses.replace(
        HEAD, epochs=6, patience=4, schedule="plateau", plateau_patience=0, hidden=(6,)
    )
    configs = [dataclasses.replace(base, optimizer=name) for name in names]
    shared = {"own": material(tiny_index, configs[0])}
    block = [Job(config, plan(config)[0], "own") for config in configs]
    whole = train_block(block, shared, 2)
    learned: list[int] = []
    learn = heads_module._Stack.learn

    def dying(stack: Any, epoch: int) -> None:
        if len(learned) == 3:
            raise KeyboardInterrupt
        learned.append(epoch)
        learn(stack, epoch)

    monkeypatch.setattr(pausing, "SECONDS", 0.0)
    monkeypatch.setattr(heads_module._Stack, "learn", dying)
    with pytest.raises(KeyboardInterrupt):
        train_block(block, shared, 2, tmp_path / "unfinished")
    monkeypatch.setattr(heads_module._Stack, "learn", learn)
    first = next(iter((tmp_path / "unfinished").iterdir()))

    def noting(stack: Any, epoch: int) -> None:
        learned.append(epoch)
        learn(stack, epoch)

    monkeypatch.setattr(heads_module._Stack, "learn", noting)
    again = train_block(block, shared, 2, tmp_path / "unfinished")
    assert learned[:4] == [0, 1, 2, 3]
    for one, other in zip(whole, again, strict=True):
        assert (one.best_epoch, one.best_value) == (other.best_epoch, other.best_value)
        assert one.history == other.history
        for key, value in one.weights.items():
            torch.testing.assert_close(other.weights[key], value, rtol=0, atol=0)
    # Of other settings nothing is taken up, nor of a file that is broken off.
    others = [
        dataclasses.replace(job, config=dataclasses.replace(job.config, dropout=0.4))
        for job in block
    ]
    learned.clear()
    train_block(others, shared, 2, tmp_path / "unfinished")
    assert learned[0] == 0
    first.write_bytes(first.read_bytes()[:100])
    learned.clear()
    train_block(block, shared, 2, tmp_path / "unfinished")
    assert learned[0] == 0


# --- the optimizers -----------------------------------------------------------------------------
def test_every_optimizer_of_train_has_its_rule() -> None:
    assert RULES.keys() == OPTIMIZERS.keys()


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_the_rules_are_torch_s_with_a_rate_for_each_head(name: str) -> None:
    """Twenty steps on one weight a head, two of them alike, against torch.optim on each alone."""
    generator = torch.Generator().manual_seed(0)
    rates = [0.5, 0.05, 0.5, 0.005]
    start = torch.randn(4, 1, 4, 5, generator=generator)
    grads = torch.randn(20, 4, 1, 4, 5, generator=generator)
    configs = [
        TrainConfig(optimizer=name, learning_rate=rate, weight_decay=0.02, momentum=0.8)  # type: ignore[arg-type]
        for rate in rates
    ]
    ours = start.clone()
    buffer = torch.empty(4, 20)
    part = Movers(configs, ours.view(4, 20)).part(range(4), buffer)
    for grad in grads:
        buffer.copy_(grad.view(4, 20))
        part.move()
    compare_with_torch(name, ours, start, grads, rates)


def compare_with_torch(
    name: str, ours: Tensor, start: Tensor, grads: Tensor, rates: list[float]
) -> None:
    """Each head by torch.optim alone."""
    for head, rate in enumerate(rates):
        alone = start[head].clone().requires_grad_()
        options: dict[str, Any] = {"momentum": 0.8} if name == "sgd" else {}
        optimizer = OPTIMIZERS[name]([alone], lr=rate, weight_decay=0.02, **options)  # type: ignore[call-arg]
        for grad in grads:
            alone.grad = grad[head].clone()
            optimizer.step()
        torch.testing.assert_close(ours[head], alone.detach(), rtol=1e-4, atol=1e-5)
