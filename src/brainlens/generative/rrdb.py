"""Owns the network of ESRGAN (Wang et al. 2018, arXiv 1809.00219): RRDB blocks.

Enters: (N, C, H, W) pictures of 0 to 1. Leaves: (N, C, sH, sW) of about 0 to 1, not clipped. Names
are those of the public checkpoints (`conv_first, body.N.rdbM.convK, conv_body, conv_up1, ...`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SCALING = 0.2  # of every residual (the paper's beta)
_START = 0.1  # of the initial weights, as the paper's supplement
_TRUNK = re.compile(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(weight|bias)")


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2, inplace=not torch.is_grad_enabled())


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees all that came before it; final."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for k in range(4):
            setattr(self, f"conv{k + 1}", _convolution(features + k * growth, growth))
        self.conv5 = _convolution(features + 4 * growth, features)

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]  # each (N, features or growth, H, W)
        for k in range(4):
            convolution = getattr(self, f"conv{k + 1}")
            seen.append(_leaky(convolution(torch.cat(seen, 1))))
        return torch.add(x, self.conv5(torch.cat(seen, 1)), alpha=_SCALING)


class ResidualBlock(nn.Module):
    """Three dense blocks with a residual around them; final."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(features, growth)
        self.rdb2 = DenseBlock(features, growth)
        self.rdb3 = DenseBlock(features, growth)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.rdb3(self.rdb2(self.rdb1(x))), alpha=_SCALING)


class RRDBNet(nn.Module):
    """The generator; final."""

    def __init__(
        self, *, blocks: int = 23, features: int = 64, growth: int = 32, channels: int = 3,
        doublings: int = 2,
    ) -> None:  # fmt: skip
        super().__init__()
        self.doublings = doublings
        self.conv_first = _convolution(channels, features)
        self.body = nn.Sequential(*(ResidualBlock(features, growth) for _ in range(blocks)))
        self.conv_body = _convolution(features, features)
        for k in range(doublings):
            setattr(self, f"conv_up{k + 1}", _convolution(features, features))
        self.conv_hr = _convolution(features, features)
        self.conv_last = _convolution(features, channels)

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv_first(x).to(self.conv_hr.weight.dtype)  # (N, F, H, W)
        return self.enlarge(first, self.body(first))

    def enlarge(self, first: Tensor, body: Tensor) -> Tensor:
        """From the features before and after the blocks to the picture."""
        h = first + self.conv_body(body)
        for k in range(self.doublings):
            h = F.interpolate(h, scale_factor=2.0, mode="nearest")
            h = _leaky(getattr(self, f"conv_up{k + 1}")(h))  # (N, F, 2H, 2W), then 4H, 4W
        fine = _leaky(self.conv_hr(h)).to(self.conv_last.weight.dtype)
        done: Tensor = self.conv_last(fine)
        return done


def halved(network: RRDBNet) -> RRDBNet:
    """The network in bf16, but for its ends: a grey level is finer than a bf16 number near 1."""
    for name, module in network.named_children():
        if name not in ("conv_first", "conv_last"):
            module.bfloat16()
    return network


def shape_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """What `RRDBNet` must be built with to take these weights."""
    blocks = {int(key.split(".")[1]) for key in state if key.startswith("body.")}
    ups = [key for key in state if re.fullmatch(r"conv_up\d\.weight", key)]
    return {
        "blocks": len(blocks),
        "features": state["conv_first.weight"].shape[0],
        "growth": state["body.0.rdb1.conv1.weight"].shape[0],
        "channels": state["conv_first.weight"].shape[1],
        "doublings": len(ups),
    }


def build(state: Mapping[str, Tensor]) -> RRDBNet:
    """The network of these weights, in evaluation mode."""
    network = RRDBNet(**shape_of(state))
    network.load_state_dict({key: value.float() for key, value in state.items()})
    return network.eval()


def initialise(network: RRDBNet, start: Mapping[str, Tensor] | None = None) -> None:
    """Small Kaiming weights; then the weights of `start` wherever name and shape fit.

    Of a deeper `start` the body's blocks are taken at even distances.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            module.weight.data.mul_(_START)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    if start is None:
        return
    own, theirs = network.state_dict(), shape_of(start)["blocks"]
    blocks = len(network.body)
    for key, value in own.items():
        source = key
        if key.startswith("body."):
            _, block, rest = key.split(".", 2)
            last = max(blocks - 1, 1)
            source = f"body.{round(int(block) * (theirs - 1) / last)}.{rest}"
        if source in start and start[source].shape == value.shape:
            value.copy_(start[source])


def interpolate(
    fidelity: Mapping[str, Tensor], perception: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """The paper's network interpolation: (1 - alpha) x PSNR-trained + alpha x GAN-trained."""
    if fidelity.keys() != perception.keys():
        raise ValueError("only two networks of the same shape can be interpolated")
    return {key: torch.lerp(fidelity[key], perception[key], alpha) for key in fidelity}


def modern_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the names of this module, from those of the first ESRGAN release."""
    numbers = {int(key.split(".")[1]) for key in state}
    ups = sorted(numbers - {0, 1})[:-2]
    last = max(numbers)
    blocks = max(int(key.split(".")[3]) for key in state if key.startswith("model.1."))
    heads = {"0": "conv_first", f"1.sub.{blocks}": "conv_body", str(last - 2): "conv_hr"}
    heads |= {str(last): "conv_last"} | {str(n): f"conv_up{i + 1}" for i, n in enumerate(ups)}
    renamed: dict[str, Any] = {}
    for key, value in state.items():
        if match := _TRUNK.fullmatch(key):
            block, dense, convolution, kind = match.groups()
            renamed[f"body.{block}.rdb{dense}.conv{convolution}.{kind}"] = value
        else:
            place, kind = key.removeprefix("model.").rsplit(".", 1)
            renamed[f"{heads[place]}.{kind}"] = value
    return renamed
