"""Every row of the table builds what its paper or seed describes; pretrained weights fit or say."""

from __future__ import annotations

import re
import socket
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers  # type: ignore[import-untyped]

from brainlens.classify.backbones import BACKBONES, backbone, load_pretrained
from brainlens.classify.network import Architecture, Classifier
from brainlens.core.errors import ConfigError, WeightsError

# (C, h, w) of the feature map at each row's own size, from the papers' tables and by hand:
# a stride of 32 but for Inception (299: 149 147 147 73 71 35 17 8), the VGG block (8) and the
# plain networks (96: 48 24 12; 250: 125 62 31 with padding; 150: 148 74, 72 36, 34 17 without).
FEATURES = {
    "densenet121": (1024, 7, 7),
    "vgg16": (512, 7, 7),
    "vgg16_block3": (256, 28, 28),
    "inception_v3": (2048, 8, 8),
    "efficientnetv2_s": (1280, 7, 7),
    "efficientnetv2_b0": (1280, 7, 7),
    "efficientnet_lite0": (1280, 7, 7),
    "mobilenetv2": (1280, 7, 7),
    "cnn_small": (128, 12, 12),
    "cnn_b": (128, 31, 31),
    "cnn_b_dropout": (128, 31, 31),
    "cnn_c": (64, 17, 17),
}
DEEP = ("densenet121", "inception_v3", "efficientnetv2_s")  # seconds each
TABLE = [pytest.param(n, marks=pytest.mark.slow) if n in DEEP else n for n in BACKBONES]


@cache
def built(name: str) -> nn.Module:
    """The row's network with random weights; built once, never changed."""
    torch.manual_seed(0)
    return BACKBONES[name].build().eval()


def parameters(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(p.numel() for p in network.parameters())


def no_network(*args: object, **kwargs: object) -> Any:
    """A machine without a network: no name is known."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder, an empty cache of the hub's, and no network; the weights folder."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("BRAINLENS_WEIGHTS", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    return folder


# --- the table ----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", TABLE)
def test_every_row_maps_pictures_to_finite_features(name: str) -> None:
    with torch.no_grad():
        features = built(name)(torch.rand(2, 3, 80, 80))
    assert features.ndim == 4
    assert features.shape[:2] == (2, FEATURES[name][0])
    assert bool(features.isfinite().all())


@pytest.mark.parametrize("name", TABLE)
def test_feature_maps_at_a_rows_own_size_are_those_of_its_paper(name: str) -> None:
    row = BACKBONES[name]
    with torch.device("meta"):  # shapes alone, no numbers
        network = Classifier(Architecture(name, row.size, row.pool, row.hidden, "relu", 0.3), 5)
        features = network.backbone(torch.rand(2, 3, row.size, row.size))
        assert tuple(features.shape) == (2, *FEATURES[name])
        assert tuple(network.classify(features).shape) == (2, 5)


def test_plain_networks_have_the_parameters_of_their_seeds_by_hand() -> None:
    def convolution(inputs: int, outputs: int) -> int:
        return inputs * 3 * 3 * outputs + outputs

    seed_b = convolution(3, 32) + convolution(32, 64) + convolution(64, 128)
    assert parameters(built("cnn_b")) == seed_b == 93_248
    assert parameters(built("cnn_b_dropout")) == seed_b
    seed_c = convolution(3, 16) + convolution(16, 32) + convolution(32, 64)
    assert parameters(built("cnn_c")) == seed_c == 23_584


@pytest.mark.slow
def test_densenet_has_the_parameters_of_its_paper_without_the_classifier() -> None:
    assert parameters(built("densenet121")) == 6_953_856


def test_vgg16_block3_is_the_first_seven_convolutions_of_vgg16() -> None:
    kinds = (nn.Conv2d, nn.MaxPool2d)
    layers = [m for m in built("vgg16_block3").modules() if isinstance(m, kinds)]
    reference = [m for m in make_layers(cfgs["D"]) if isinstance(m, kinds)][:10]
    assert [str(layer) for layer in layers] == [str(layer) for layer in reference]
    assert sum(isinstance(layer, nn.Conv2d) for layer in layers) == 7
    assert isinstance(layers[-1], nn.MaxPool2d)


def test_vgg16_keeps_nothing_of_its_wide_dense_layers() -> None:
    assert parameters(built("vgg16")) == parameters(make_layers(cfgs["D"])) == 14_714_688


@pytest.mark.parametrize("name", [name for name, row in BACKBONES.items() if row.weights])
def test_every_download_is_known_to_timm_and_normalised_as_timm_says(name: str) -> None:
    row = BACKBONES[name]
    known = timm.get_pretrained_cfg(row.download or row.weights)
    assert known is not None
    assert known.hf_hub_id
    assert row.normalise == (known.mean, known.std)


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'efficientnet_lite' is unknown.*'efficientnet_lite0'"):
        backbone("efficientnet_lite")


# --- pretrained weights -------------------------------------------------------------------------
def reference(name: str, state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The feature map that other libraries compute with a weights file."""
    floats = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    if name.startswith("vgg16"):
        layers: nn.Sequential = make_layers(cfgs["D"])
        layers.load_state_dict({key.removeprefix("features."): v for key, v in floats.items()})
        features: Tensor = (layers[:17] if name == "vgg16_block3" else layers)(x)
        return features
    timm_name = BACKBONES[name].weights.partition(".")[0]
    with_head = any(key.startswith("classifier") for key in floats)
    network: Any = timm.create_model(timm_name, num_classes=1000 if with_head else 0)
    network.load_state_dict(floats)
    features = network.eval().forward_features(x)
    return features


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["vgg16", "vgg16_block3", "inception_v3", "efficientnet_lite0", "mobilenetv2"]
)
def test_features_of_real_weights_equal_those_of_timm_and_torchvision(
    name: str, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINLENS_WEIGHTS", str(shared / "weights"))
    file = shared / "weights" / f"{BACKBONES[name].weights}.safetensors"
    network = BACKBONES[name].build().eval()
    assert load_pretrained(name, network) == file.name
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = reference(name, load_file(file), x)
        assert float((network(x) - expected).abs().max()) < 1e-5 * float(expected.abs().max())


def test_a_plain_network_says_that_it_has_no_pretrained_weights() -> None:
    with pytest.raises(WeightsError, match=r"'cnn_c' has no pretrained weights.*weights=none"):
        load_pretrained("cnn_c", built("cnn_c"))


def test_without_file_and_network_the_error_comes_soon_and_names_the_ways_out(alone: Path) -> None:
    start = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        load_pretrained("mobilenetv2", built("mobilenetv2"))
    assert time.monotonic() - start < 20  # the hub's own client would ask for 47 s
    text = str(caught.value)
    for way in ("mobilenetv2_100.tv_in1k.safetensors", str(alone), "BRAINLENS_WEIGHTS",
                "weights=none"):  # fmt: skip
        assert way in text
    assert "\n" not in text
    assert not constants.HF_HUB_OFFLINE  # a later attempt may find a network


def test_weights_downloaded_once_are_found_again_without_a_network(alone: Path) -> None:
    folder = Path(constants.HF_HUB_CACHE) / "models--timm--mobilenetv2_100.ra_in1k"
    snapshot = folder / "snapshots" / ("0" * 40)
    for place in (snapshot, folder / "refs"):
        place.mkdir(parents=True)
    (folder / "refs" / "main").write_text(snapshot.name)
    whole: nn.Module = timm.create_model("mobilenetv2_100")  # with its head, as timm stores it
    save_file(whole.state_dict(), snapshot / "model.safetensors")
    network = BACKBONES["mobilenetv2"].build()
    source = load_pretrained("mobilenetv2", network)
    assert source == "timm download of mobilenetv2_100.ra_in1k"
    weights = network.state_dict()["network.conv_stem.weight"]
    assert torch.equal(weights, whole.state_dict()["conv_stem.weight"])


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff" * 64, b"\x10\0\0\0\0\0\0\0not json......."]
)
def test_a_corrupted_file_is_named_and_not_replaced_by_a_download(
    content: bytes, alone: Path
) -> None:
    file = alone / "mobilenetv2_100.tv_in1k.safetensors"
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=re.escape(f"{file}: is no readable safetensors")):
        load_pretrained("mobilenetv2", built("mobilenetv2"))


def save_state(file: Path, state: dict[str, Tensor]) -> Path:
    """Write a state as a weights file."""
    save_file({key.removeprefix("network."): value for key, value in state.items()}, file)
    return file


def test_weights_of_another_network_do_not_load(alone: Path) -> None:
    file = save_state(
        alone / "tf_efficientnet_lite0.in1k.safetensors", built("mobilenetv2").state_dict()
    )
    before = built("efficientnet_lite0").state_dict()["network.conv_stem.weight"].clone()
    with pytest.raises(WeightsError, match=re.escape(f"{file}: does not fit") + ".*is missing"):
        load_pretrained("efficientnet_lite0", built("efficientnet_lite0"))
    after = built("efficientnet_lite0").state_dict()["network.conv_stem.weight"]
    assert torch.equal(after, before)


def test_weights_of_a_wider_network_of_the_same_layers_do_not_load(alone: Path) -> None:
    state = dict(built("mobilenetv2").state_dict())
    state["network.conv_stem.weight"] = torch.zeros(48, 3, 3, 3)
    file = save_state(alone / "mobilenetv2_100.tv_in1k.safetensors", state)
    with pytest.raises(WeightsError, match=re.escape(f"{file}: does not fit") + ".*another shape"):
        load_pretrained("mobilenetv2", built("mobilenetv2"))


def test_half_precision_weights_are_used_as_single_precision(alone: Path) -> None:
    state = {
        key: value.half() if value.is_floating_point() else value
        for key, value in built("mobilenetv2").state_dict().items()
    }
    save_state(alone / "mobilenetv2_100.tv_in1k.safetensors", state)
    network = BACKBONES["mobilenetv2"].build()
    load_pretrained("mobilenetv2", network)
    loaded = network.state_dict()
    assert all(not v.is_floating_point() or v.dtype == torch.float32 for v in loaded.values())
    assert all(torch.equal(loaded[key].half(), state[key]) for key in state if "weight" in key)
