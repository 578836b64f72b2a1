"""Owns the table of backbones: a name in, a feature extractor out; and its pretrained weights.

To add a backbone, add a row; the tests run over the table. Weights are looked for as
`<timm name>.safetensors` in the weights folder, then by timm's own download.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from brainlens.core.errors import ConfigError, WeightsError, nearest
from brainlens.core.pretrained import pretrained_state

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # to [-1, 1], as Keras and the TF ports
_DARK = ((0.25, 0.25, 0.25), (0.25, 0.25, 0.25))  # about what MRI slices are
_UNIT = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))  # rescale 1/255, as seeds B and C

Pool = Literal["average", "max", "flatten"]


@dataclass(frozen=True)
class Backbone:
    """One row of the table: how to build a feature extractor and what it expects."""

    build: Callable[[], nn.Module]  # maps (N, 3, H, W) to (N, C, h, w)
    weights: str  # the timm name of its pretrained weights; "" has none
    size: int  # pixels a side that it is used at
    normalise: tuple[tuple[float, float, float], tuple[float, float, float]]
    pool: Pool = "average"
    hidden: tuple[int, ...] = ()  # the head's hidden layers, as its paper or seed has them
    download: str = ""  # the timm name of the download, where it is not that of the weights


class _Timm(nn.Module):
    """A timm network up to its last feature map; what comes after it is dropped."""

    def __init__(self, name: str) -> None:
        super().__init__()
        import timm

        # VGG's 4096-wide layers are dropped; one wide, they take no seconds to make first.
        options: dict[str, Any] = {"mlp_ratio": 1 / 4096} if name.startswith("vgg") else {}
        self.network: Any = timm.create_model(name, num_classes=0, global_pool="", **options)
        if hasattr(self.network, "pre_logits"):
            self.network.pre_logits = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.network.forward_features(x)
        return features  # (N, C, h, w)


class _Block3(nn.Module):
    """VGG16 up to its third pooling layer (seed B's `block3_pool`)."""

    def __init__(self) -> None:
        super().__init__()
        self.network: Any = _Timm("vgg16").network
        self.network.features = self.network.features[:17]

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.network.features(x)
        return features  # (N, 256, H/8, W/8)


def _plain(
    widths: Sequence[int], *, same: bool, dropout: Sequence[float] = ()
) -> Callable[[], nn.Module]:
    """3x3 convolution + ReLU + 2x2 max pooling, once a width.

    Pooling first gives the same numbers, and ReLU a quarter of the work.
    """

    def build() -> nn.Module:
        layers: list[nn.Module] = []
        channels = 3
        for i, width in enumerate(widths):
            convolution = nn.Conv2d(channels, width, 3, padding=1 if same else 0)
            nn.init.kaiming_uniform_(convolution.weight, nonlinearity="relu")  # he_uniform
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
            layers += [convolution, nn.MaxPool2d(2), nn.ReLU()]
            layers += [nn.Dropout(dropout[i])] if dropout else []
            channels = width
        return nn.Sequential(*layers)

    return build


def _small() -> nn.Module:
    """Five convolutions with batch norm: what a hundred slices and a minute can train."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 5, 2, 2, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    for inputs, outputs, pool in ((16, 32, 2), (32, 64, 2), (64, 128, 1), (128, 128, 1)):
        layers += [
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
        layers += [nn.MaxPool2d(pool)] if pool > 1 else []
    return nn.Sequential(*layers)


def _timm(name: str) -> Callable[[], nn.Module]:
    return lambda: _Timm(name)


BACKBONES: dict[str, Backbone] = {
    "densenet121": Backbone(_timm("densenet121"), "densenet121.tv_in1k", 224, _IMAGENET),
    "vgg16": Backbone(_timm("vgg16"), "vgg16.tv_in1k", 224, _IMAGENET, "flatten", (128,)),
    "vgg16_block3": Backbone(_Block3, "vgg16.tv_in1k", 224, _IMAGENET, "flatten", (128, 64, 32)),
    "inception_v3": Backbone(_timm("inception_v3"), "inception_v3.tf_in1k", 299, _HALF),
    "efficientnetv2_s": Backbone(
        _timm("tf_efficientnetv2_s"), "tf_efficientnetv2_s.in21k_ft_in1k", 224, _HALF
    ),
    "efficientnetv2_b0": Backbone(
        _timm("tf_efficientnetv2_b0"), "tf_efficientnetv2_b0.in1k", 224, _IMAGENET
    ),
    "efficientnet_lite0": Backbone(
        _timm("tf_efficientnet_lite0"), "tf_efficientnet_lite0.in1k", 224, _HALF
    ),
    "mobilenetv2": Backbone(
        _timm("mobilenetv2_100"),
        "mobilenetv2_100.tv_in1k",
        224,
        _IMAGENET,
        download="mobilenetv2_100.ra_in1k",  # timm has not torchvision's
    ),
    "cnn_small": Backbone(_small, "", 96, _DARK, "max"),
    "cnn_b": Backbone(_plain((32, 64, 128), same=True), "", 250, _UNIT, "flatten", (128,)),
    "cnn_b_dropout": Backbone(
        _plain((32, 64, 128), same=True, dropout=(0.2, 0.3, 0.3)), "", 250, _UNIT, "flatten", (128,)
    ),
    "cnn_c": Backbone(_plain((16, 32, 64), same=False), "", 150, _UNIT, "flatten", (512,)),
}


def backbone(name: str) -> Backbone:
    """The table's row; an unknown name fails with the nearest one."""
    if name not in BACKBONES:
        raise ConfigError(f"backbone {name!r} is unknown: {nearest(name, BACKBONES)}")
    return BACKBONES[name]


_OTHERWISE = "train from scratch with --set weights=none"


def load_pretrained(name: str, network: nn.Module) -> str:
    """Load ImageNet weights into a network built by the row `name`; answers where they came from.

    Raises WeightsError where they can be had from neither the weights folder nor timm.
    """
    row = backbone(name)
    if not row.weights:
        raise WeightsError(f"backbone {name!r} has no pretrained weights. Set weights=none")
    state, place = pretrained_state(row.weights, download=row.download, otherwise=_OTHERWISE)
    wanted = network.state_dict()
    prefixed = {f"network.{key}": value.to(torch.float32) if value.is_floating_point() else value
                for key, value in state.items()}  # fmt: skip
    missing = [k for k in wanted if k not in prefixed and not k.endswith("num_batches_tracked")]
    strange = [k for k in wanted if k in prefixed and prefixed[k].shape != wanted[k].shape]
    if missing or strange:
        reason = f"{missing[0]} is missing" if missing else f"{strange[0]} has another shape"
        raise WeightsError(
            f"{place}: does not fit {name} ({reason}); expected timm's {row.weights}. Replace it, "
            f"or {_OTHERWISE}"
        )
    network.load_state_dict({key: prefixed[key] for key in wanted if key in prefixed}, strict=False)
    return Path(place).name
