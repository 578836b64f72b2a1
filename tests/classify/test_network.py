"""A checkpoint comes back as it was or says why not; heads and layer groups are as asked."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from brainlens.classify.backbones import BACKBONES, Pool
from brainlens.classify.network import POOLS, Architecture, Classifier, layer_groups, load, save
from brainlens.core.errors import ConfigError, RunError
from brainlens.data.preprocess import Preprocessing

LABELS = ["glioma", "meningioma", "none"]
SMALL = Architecture("cnn_c", 32, "flatten", (6,), "relu", 0.3)
PREPROCESSING = Preprocessing(32, "pad", True, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def network_of(architecture: Architecture, classes: int = 3, seed: int = 0) -> Classifier:
    """A network of random weights, in evaluation mode."""
    torch.manual_seed(seed)
    network = Classifier(architecture, classes)
    network.eval()
    return network


def saved(path: Path, architecture: Architecture = SMALL) -> tuple[Path, Classifier]:
    """A checkpoint and the network in it."""
    network = network_of(architecture)
    save(
        path, network, architecture=architecture, labels=LABELS, preprocessing=PREPROCESSING,
        facts={"epoch": 3},
    )  # fmt: skip
    return path, network


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The checkpoint with another description of itself."""
    with safe_open(path, framework="pt") as file:
        meaning = json.loads(file.metadata()["brainlens"])
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    change(meaning)
    save_file(state, path, {"brainlens": json.dumps(meaning)})
    return path


def refusal(path: Path) -> str:
    """The one line that refuses a checkpoint; it begins with its path."""
    with pytest.raises(RunError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


# --- checkpoints --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "architecture", [SMALL, Architecture("mobilenetv2", 40, "average", (), "elu", 0.0)]
)
def test_a_checkpoint_gives_the_same_logits_and_meaning_back(
    architecture: Architecture, tmp_path: Path
) -> None:
    path, network = saved(tmp_path / "model.safetensors", architecture)
    loaded = load(path)
    x = torch.randn(2, 3, architecture.size, architecture.size)
    with torch.no_grad():
        assert torch.equal(loaded.network(x), network(x))
    assert not loaded.network.training
    assert loaded.labels == LABELS
    assert loaded.preprocessing == PREPROCESSING
    assert loaded.architecture == architecture
    assert loaded.facts == {"epoch": 3}


def test_saving_over_a_checkpoint_replaces_it_and_leaves_nothing_else(tmp_path: Path) -> None:
    saved(tmp_path / "model.safetensors", Architecture("cnn_c", 64, "average", (), "relu", 0.0))
    path, _ = saved(tmp_path / "model.safetensors")
    assert load(path).architecture == SMALL
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_weights_without_a_description_do_not_load(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(network_of(SMALL).state_dict(), path)
    assert "carries no labels and preprocessing" in refusal(path)


@pytest.mark.parametrize("part", ["labels", "preprocessing", "architecture", "facts"])
def test_a_checkpoint_without_one_part_of_its_meaning_does_not_load(
    part: str, tmp_path: Path
) -> None:
    path, _ = saved(tmp_path / "model.safetensors")
    assert repr(part) in refusal(changed(path, lambda meaning: meaning.pop(part)))


def test_a_truncated_checkpoint_does_not_load(tmp_path: Path) -> None:
    path, _ = saved(tmp_path / "model.safetensors")
    whole = path.read_bytes()
    for length in (0, 5, 200, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert "is no readable checkpoint" in refusal(path)


def test_a_missing_checkpoint_and_a_folder_in_its_place_are_told_apart(tmp_path: Path) -> None:
    assert "no such checkpoint" in refusal(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").mkdir()
    assert "is no readable checkpoint" in refusal(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    "difference",
    [
        {"backbone": "mobilenetv2", "pool": "average"},
        {"hidden": [7]},
        {"size": 64},  # flattened: other features reach the head
        {"size": 8},  # nothing left to look at
        {"backbone": "of a later version"},
        {"hidden": [6], "activation": "of a later version"},
    ],
    ids=str,
)
def test_weights_of_another_architecture_do_not_load(
    difference: dict[str, Any], tmp_path: Path
) -> None:
    path, _ = saved(tmp_path / "model.safetensors")
    text = refusal(changed(path, lambda meaning: meaning["architecture"].update(difference)))
    assert "its weights do not fit its architecture" in text


def test_more_labels_than_logits_do_not_load(tmp_path: Path) -> None:
    path, _ = saved(tmp_path / "model.safetensors")
    text = refusal(changed(path, lambda meaning: meaning["labels"].append("pituitary")))
    assert "its weights do not fit its architecture" in text


# --- heads --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("activation", "kind"), [("relu", nn.ReLU), ("elu", nn.ELU), ("tanh", nn.Tanh)]
)
def test_a_head_has_the_hidden_layers_activation_and_dropout_asked_for(
    activation: str, kind: type[nn.Module]
) -> None:
    network = network_of(Architecture("cnn_c", 32, "flatten", (7, 5), activation, 0.4), classes=4)
    layers = list(network.head)
    # 32: 30 15, 13 6, 4 2 pixels a side, 64 channels: 256 inputs.
    assert [type(m) for m in layers] == [nn.Linear, kind, nn.Linear, kind, nn.Dropout, nn.Linear]
    sides = [(m.in_features, m.out_features) for m in layers if isinstance(m, nn.Linear)]
    assert sides == [(256, 7), (7, 5), (5, 4)]
    assert [m.p for m in layers if isinstance(m, nn.Dropout)] == [0.4]


def test_pooling_takes_the_mean_or_the_largest_of_each_channel_or_all() -> None:
    features = torch.randn(3, 64, 2, 2)
    pooled: dict[Pool, torch.Tensor] = {
        "average": features.mean((2, 3)),
        "max": features.amax((2, 3)),
        "flatten": features.reshape(3, 256),
    }
    assert set(pooled) == set(POOLS)
    for pool, inputs in pooled.items():
        network = network_of(Architecture("cnn_c", 32, pool, (), "relu", 0.5))
        with torch.no_grad():
            expected = network.head[1](inputs)
            assert torch.allclose(network.classify(features), expected, atol=1e-6)


def test_building_a_classifier_does_not_disturb_batch_statistics() -> None:
    network = Classifier(Architecture("mobilenetv2", 32, "average", (), "relu", 0.0), 2)
    assert network.training
    assert network.backbone.training
    means = [v for k, v in network.backbone.state_dict().items() if k.endswith("running_mean")]
    assert means
    assert all(not mean.any() for mean in means)


@pytest.mark.parametrize(("name", "size"), [("cnn_c", 21), ("vgg16", 31)])
def test_a_size_too_small_for_its_backbone_is_the_users_error(name: str, size: int) -> None:
    with torch.device("meta"), pytest.raises(ConfigError, match=f"size={size} does not suit"):
        Classifier(Architecture(name, size, "average", (), "relu", 0.0), 2)


# --- layer groups -------------------------------------------------------------------------------
# Blocks as the papers count them: a stem, then each block, the last with the top convolution.
GROUPS = {"vgg16": 13, "vgg16_block3": 7, "mobilenetv2": 1 + 17, "efficientnet_lite0": 1 + 16,
          "cnn_small": 5, "cnn_b": 3, "cnn_b_dropout": 3, "cnn_c": 3}  # fmt: skip
DEEP = ("densenet121", "inception_v3", "efficientnetv2_s")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in DEEP else n for n in BACKBONES]
)
def test_layer_groups_hold_every_layer_with_weights_once_in_the_order_of_computation(
    name: str,
) -> None:
    with torch.device("meta"):
        network = BACKBONES[name].build().eval()
        groups = layer_groups(network)
        grouped = [module for group in groups for module in group]
        held = [p for module in grouped for p in module.parameters(recurse=False)]
        assert len({id(module) for module in grouped}) == len(grouped)
        assert {id(p) for p in held} == {id(p) for p in network.parameters()}
        assert len(groups) == GROUPS.get(name, len(groups))

        called: list[int] = []
        for module in grouped:
            module.register_forward_hook(lambda module, *_: called.append(id(module)))
        network(torch.rand(1, 3, 96, 96))
    assert len(called) == len(grouped)
    places = [[called.index(id(module)) for module in group] for group in groups]
    assert all(max(a) < min(b) for a, b in itertools.pairwise(places))
