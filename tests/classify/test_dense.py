"""A dense head finds the place, answers in probabilities, and learns from what is outlined."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from brainlens.classify.context import believe
from brainlens.classify.dense import DenseClassifier, Evidence, dense_loss
from brainlens.classify.evaluation import evaluate
from brainlens.classify.network import Loaded, load
from brainlens.classify.stages import stages, tie
from brainlens.classify.training import train
from brainlens.core.errors import ConfigError, RunError, SplitError
from brainlens.data.index import read_index, write_index
from tests.classify.conftest import TINY, draw, split_index


def network(background: int = 1) -> DenseClassifier:
    torch.manual_seed(0)
    return DenseClassifier("cnn_small", size=64, classes=3, background=background, dropout=0.0)


@pytest.mark.parametrize("background", [0, 1, 2])
def test_answers_are_log_probabilities_with_the_background_in_its_place(background: int) -> None:
    model = network(background).eval()
    x = torch.randn(4, 3, 64, 64)
    found = model.evidence(x)
    p = model(x).exp()
    assert torch.allclose(p.sum(1), torch.ones(4), atol=1e-5)
    assert torch.allclose(p[:, background], 1 - found.tumour.sigmoid(), atol=1e-5)
    assert found.cells.shape == (4, 32, 32)


def evidence(cells: torch.Tensor, tumour: list[float], kinds: list[list[float]]) -> Evidence:
    nothing = torch.zeros(len(tumour), 1)
    return Evidence(cells, torch.tensor(tumour), torch.tensor(kinds), nothing, nothing)


def loss(found: Evidence, classes: list[int], outlines: torch.Tensor, known: list[bool]) -> float:
    return float(
        dense_loss(
            found, torch.tensor(classes), outlines, torch.tensor(known), background=1, weight=None,
            label_smoothing=0.0,
        )
    )  # fmt: skip


def test_the_loss_is_that_of_cells_picture_and_kind_by_hand() -> None:
    cells = torch.zeros(1, 4, 4)
    outlines = torch.zeros(1, 4, 4)
    outlines[0, :2, :2] = 1
    got = loss(evidence(cells, [0.0], [[0.0, 0.0]]), [2], outlines, [True])
    # 4 of 16 cells are sick and weigh 4 each; every logit is 0, so every loss log 2.
    expected = 5 * math.log(2) * (12 + 4 * 4) / 16 + math.log(2) + math.log(2)
    assert got == pytest.approx(expected, rel=1e-5)


def test_a_close_up_that_lost_the_tumour_counts_as_healthy() -> None:
    cells, outlines = torch.full((1, 4, 4), -9.0), torch.zeros(1, 4, 4)
    quiet = loss(evidence(cells, [-9.0], [[0.0, 0.0]]), [0], outlines, [True])
    loud = loss(evidence(cells, [9.0], [[0.0, 0.0]]), [0], outlines, [True])
    assert quiet < 0.01 < 5 < loud


def test_a_tumour_of_unknown_place_and_kind_teaches_only_that_it_is_there() -> None:
    cells = torch.randn(1, 4, 4).requires_grad_()
    kinds = torch.zeros(1, 2, requires_grad=True)
    tumour = torch.zeros(1, requires_grad=True)
    value = dense_loss(
        Evidence(cells, tumour, kinds, torch.zeros(1, 3), torch.zeros(1, 1)), torch.tensor([-1]),
        torch.zeros(1, 4, 4), torch.tensor([False]), background=1, weight=None, label_smoothing=0.0,
    )  # fmt: skip
    torch.autograd.backward(value)
    assert value.item() == pytest.approx(math.log(2), rel=1e-5)
    assert cells.grad is None or not cells.grad.any()
    assert kinds.grad is None
    assert tumour.grad is not None
    assert tumour.grad.item() == pytest.approx(-0.5)


PLAIN = dataclasses.replace(TINY, backbone="cnn_small", hidden=None, epochs=1)
DENSE = dataclasses.replace(
    TINY, backbone="cnn_small", head="dense", size=64, hidden=None, epochs=2, augment="hard",
    average=0.9, schedule="cosine", partial="tumour",
)  # fmt: skip


def outlined(folder: Path, pictures: Path) -> Path:
    """Outlines of the large squares: the pictures' brightest parts."""
    found = {}
    for file in sorted((pictures / "glioma").glob("*.png")):
        found[str(file.relative_to(folder))] = [[[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]]]
    path = folder / "outlines.json"
    path.write_text(json.dumps(found))
    return path


def test_a_dense_run_trains_is_judged_and_answers_the_same_after_loading(tmp_path: Path) -> None:
    pictures = draw(tmp_path / "pictures")
    index = split_index(tmp_path, pictures)
    config = dataclasses.replace(DENSE, outlines=str(outlined(tmp_path, pictures)))
    train(index, tmp_path / "run", config)
    model = load(tmp_path / "run" / "model.safetensors")
    assert isinstance(model.network, DenseClassifier)
    assert model.network.background == model.labels.index("none")
    figures = evaluate(tmp_path / "run", index, tmp_path / "eval")
    assert 0 <= figures["metrics"]["accuracy"]["value"] <= 1
    # The second run of the same settings ends with the same weights.
    train(index, tmp_path / "again", config)
    again = load(tmp_path / "again" / "model.safetensors").network.state_dict()
    for name, value in model.network.state_dict().items():
        assert torch.equal(value, again[name]), name


def normalised(raw: Tensor, model: Loaded) -> Tensor:
    """(N, 3, H, W) in 0..1 as a network knows them."""
    mean, std = model.preprocessing.mean, model.preprocessing.std
    return (raw - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


@pytest.mark.parametrize("sizes", [[32], [32, 48]])
def test_other_runs_are_asked_about_the_whole_picture_each_at_its_size(
    sizes: list[int], tmp_path: Path
) -> None:
    pictures = draw(tmp_path / "pictures")
    index = split_index(tmp_path, pictures)
    plain = [tmp_path / f"plain{size}" for size in sizes]
    for folder, size in zip(plain, sizes, strict=True):
        backbone = "cnn_small" if size == 32 else "cnn_b"  # that knows pictures in other numbers
        train(index, folder, dataclasses.replace(PLAIN, size=size, backbone=backbone))
    marked = str(outlined(tmp_path, pictures))
    config = dataclasses.replace(DENSE, outlines=marked, second=tuple(map(str, plain)), epochs=1)
    train(index, tmp_path / "run", config)
    model, *others = (load(folder / "model.safetensors") for folder in (tmp_path / "run", *plain))
    assert isinstance(model.network, DenseClassifier)
    assert model.preprocessing.size == 64
    raw = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        found = model.network.evidence(normalised(raw, model))
        said = [
            one.network(normalised(F.interpolate(raw, (size, size), mode="bilinear"), one))
            for one, size in zip(others, sizes, strict=True)
        ]
    assert torch.allclose(found.whole, torch.stack(said).mean(0), atol=1e-5)
    assert model.network.trust[1] > 0


def test_dense_runs_share_in_the_evidence_and_a_plain_one_keeps_its_part(tmp_path: Path) -> None:
    pictures = draw(tmp_path / "pictures")
    index = split_index(tmp_path, pictures)
    base = dataclasses.replace(DENSE, outlines=str(outlined(tmp_path, pictures)), epochs=1)
    train(index, tmp_path / "plain", dataclasses.replace(PLAIN, size=64))
    second = (str(tmp_path / "plain"),)
    # Its own second opinion is not asked.
    train(index, tmp_path / "peer", dataclasses.replace(base, seed=1, second=second))
    train(index, tmp_path / "alone", dataclasses.replace(base, second=second))
    both = dataclasses.replace(base, second=(str(tmp_path / "peer"), *second))
    train(index, tmp_path / "run", both)
    run, peer, alone = (
        load(tmp_path / name / "model.safetensors").network for name in ("run", "peer", "alone")
    )
    assert isinstance(run, DenseClassifier)
    assert isinstance(peer, DenseClassifier)
    assert isinstance(alone, DenseClassifier)
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        found, other, own = run.evidence(x), peer.evidence(x), alone.evidence(x)
    for name in ("cells", "tumour", "kinds"):
        mean = (getattr(own, name) + getattr(other, name)) / 2
        assert torch.allclose(getattr(found, name), mean, atol=1e-5), name
    assert torch.allclose(found.whole, own.whole, atol=1e-5)
    assert torch.equal(found.features, own.features)
    assert run.peers[0].companion is None


def test_steps_that_no_training_moved_are_made_one() -> None:
    one, other = (network().eval() for _ in range(2))
    own, theirs = stages(one.backbone), stages(other.backbone)
    moved = next(i for i, step in enumerate(own) if i and [*step.parameters()])
    with torch.no_grad():
        for i, step in enumerate(theirs):
            for weight in step.parameters():
                weight.mul_(1.3 if i >= moved else 1 + 1e-5)
    before = [weight.clone() for weight in theirs[moved].parameters()]
    assert tie(own, theirs, torch.rand(1, 3, 64, 64)) == moved
    for step, same in zip(own[:moved], theirs[:moved], strict=True):
        for name, value in step.state_dict().items():
            assert torch.equal(value, same.state_dict()[name])
    assert all(map(torch.equal, before, theirs[moved].parameters()))


def test_a_second_run_that_cannot_be_weighed_is_refused_before_training(tmp_path: Path) -> None:
    index = split_index(tmp_path, draw(tmp_path / "pictures"))
    other = tmp_path / "other"
    other.mkdir()
    seen = read_index(index)
    swap = {"train": "val", "val": "train"}
    rows = [dataclasses.replace(row, split=swap.get(row.split, row.split)) for row in seen.rows]
    write_index(rows, seen.folder, other / "index.csv")
    train(other / "index.csv", tmp_path / "swapped", PLAIN)
    train(index, tmp_path / "cropped", dataclasses.replace(PLAIN, crop=True))
    train(index, tmp_path / "toned", dataclasses.replace(DENSE, backbone="cnn_b", epochs=1))
    reasons = {
        "swapped": "learned from", "cropped": "prepares its pictures", "toned": "normalises its",
    }  # fmt: skip
    for name, reason in reasons.items():
        config = dataclasses.replace(DENSE, second=(str(tmp_path / name),))
        with pytest.raises(RunError, match=f"{name}: {reason}"):
            train(index, tmp_path / "run", config)
        assert not (tmp_path / "run").exists()


def test_an_unknown_background_names_the_nearest_class(tmp_path: Path) -> None:
    index = split_index(tmp_path, draw(tmp_path / "pictures"))
    config = dataclasses.replace(DENSE, background="nome")
    with pytest.raises(ConfigError, match="none"):
        train(index, tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


def test_validation_without_healthy_images_is_refused_before_training(tmp_path: Path) -> None:
    path = split_index(tmp_path, draw(tmp_path / "pictures"))
    index = read_index(path)
    rows = [r for r in index.rows if (r.split, r.label) != ("val", "none")]
    write_index(rows, index.folder, path)
    with pytest.raises(SplitError, match=r"val has no 'none' images.*--val"):
        train(path, tmp_path / "run", DENSE)
    assert not (tmp_path / "run").exists()


def test_the_average_of_weights_is_what_is_kept(tmp_path: Path) -> None:
    index = split_index(tmp_path, draw(tmp_path / "pictures"))
    plain = dataclasses.replace(TINY, epochs=2)
    train(index, tmp_path / "plain", plain)
    train(index, tmp_path / "mean", dataclasses.replace(plain, average=0.99))
    one, other = (
        load(tmp_path / name / "model.safetensors").network.state_dict()
        for name in ("plain", "mean")
    )
    weight = next(name for name in one if name.endswith("weight"))
    assert not torch.equal(one[weight], other[weight])
    assert read_index(index).labels == ["glioma", "none"]
    assert np.isfinite(F.mse_loss(one[weight], other[weight]).item())


def test_a_run_begins_with_another_s_weights_or_says_why_not(tmp_path: Path) -> None:
    index = split_index(tmp_path, draw(tmp_path / "pictures"))
    train(index, tmp_path / "first", TINY)
    still = dataclasses.replace(
        TINY, start=str(tmp_path / "first"), epochs=1, learning_rate=1e-9, optimizer="sgd"
    )
    train(index, tmp_path / "second", still)
    one, other = (
        load(tmp_path / name / "model.safetensors").network.state_dict()
        for name in ("first", "second")
    )
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
    with pytest.raises(RunError, match="cannot be the start"):
        train(index, tmp_path / "third", dataclasses.replace(still, hidden=(4,)))
    assert not (tmp_path / "third").exists()


def test_a_context_that_healed_pictures_refute_is_believed_less() -> None:
    """The context calls every picture of a look a tumour; the evidence sees the healed ones."""
    draw = np.random.default_rng(0)
    sick = np.repeat([True, False, False], 40)
    real = np.repeat([True, True, False], 40)
    evidence_says = np.where(sick, 2.0, -2.0) + draw.normal(0, 1, 120)
    context_says = np.where(sick | ~real, 3.0, -3.0) + draw.normal(0, 1, 120)
    believed = []
    for some in (real, np.ones(120, bool)):
        model = network()
        trust = believe(
            model, evidence_says[some], context_says[some], np.zeros((some.sum(), 2)),
            np.zeros((some.sum(), 2)), np.where(sick, 0, 1)[some], real[some], healed=0.5,
        )  # fmt: skip
        believed.append(trust[1] / trust[0])
    assert believed[1] < 0.5 * believed[0]
