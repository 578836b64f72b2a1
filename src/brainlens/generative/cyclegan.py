"""Owns CycleGAN (Zhu et al. 2017, arXiv 1703.10593): networks, losses, and what one step does.

Enters: a batch of photos and an unrelated batch of paintings, (N, 3, H, W), -1 to 1. Leaves: two
generators, `to_painting` and `to_photo`, that undo each other. Two kinds of generator: the U-Net of
the seed (pix2pix's, with instance normalisation) and the paper's own with residual blocks; `light`
makes their convolutions depthwise-separable (Howard et al. 2017, arXiv 1704.04861).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Kind = Literal["unet", "resnet"]
_START = 0.02  # standard deviation of the first weights, as the paper
_START_LIGHT = 0.1  # of depthwise filters: a sum over 9 or 16 weights instead of hundreds
_WIDEST = 8  # times `width`: no level of a U-Net has more channels
_DROPPED = 3  # the deepest steps up, which drop features as pix2pix does


class InstanceNorm(nn.Module):
    """Every channel of every picture to mean 0 and variance 1; one pixel alone is left; final."""

    def __init__(self, channels: int, *, affine: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        if not torch.compiler.is_exporting() and x.shape[2] * x.shape[3] == 1:
            return x if self.bias is None else x + self.bias[None, :, None, None]
        return F.instance_norm(x, weight=self.weight, bias=self.bias)


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, *,
    light: bool = False, bias: bool = False,
) -> nn.Module:  # fmt: skip
    """An ordinary convolution, or one a channel and then 1 x 1 across the channels.

    The light one mirrors the picture at its edges: beside zeros a residual generator draws frames.
    """
    if not light:
        return nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=bias)
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, kernel, stride, padding, groups=inputs, bias=False,
                  padding_mode="reflect" if padding else "zeros"),
        nn.Conv2d(inputs, outputs, 1, bias=bias),
    )  # fmt: skip


class Doubled(nn.Module):
    """Twice as high and wide; the light one mixes channels while the picture is small; final."""

    def __init__(self, inputs: int, outputs: int, *, light: bool) -> None:
        super().__init__()
        self.light = light
        self.mix = nn.Conv2d(inputs, outputs, 1, bias=False) if light else nn.Identity()
        self.draw: nn.Module = (
            nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs, bias=False,
                      padding_mode="reflect")
            if light
            else nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        h = self.mix(x)
        if self.light:
            # Bilinear: doubled pixels leave a grid that a few filters cannot smooth away.
            h = F.interpolate(h, scale_factor=2.0, mode="bilinear", align_corners=False)
        drawn: Tensor = self.draw(h)
        return drawn


class UNet(nn.Module):
    """`depth` halvings and as many doublings, each of which sees the features of its size; final.

    Sides must be multiples of 2 ** depth. `residual` adds the picture to what is drawn, and starts
    as the identity.
    """

    def __init__(
        self, *, width: int = 64, depth: int = 8, light: bool = False, residual: bool = False,
        dropout: float = 0.0, channels: int = 3,
    ) -> None:  # fmt: skip
        super().__init__()
        self.light, self.residual, self.dropout = light, residual, dropout
        wide = [min(2**k, _WIDEST) * width for k in range(depth)]
        self.down, self.down_norms = nn.ModuleList(), nn.ModuleList()
        for k in range(depth):
            inputs = wide[k - 1]
            self.down.append(
                convolution(inputs, wide[k], 4, 2, 1, light=light)
                if k
                else nn.Conv2d(channels, wide[0], 4, 2, 1, bias=False,
                               padding_mode="reflect" if light else "zeros")
            )  # fmt: skip
            self.down_norms.append(InstanceNorm(wide[k], affine=True) if k else nn.Identity())
        self.up, self.up_norms = nn.ModuleList(), nn.ModuleList()
        for k in reversed(range(depth - 1)):
            inputs = wide[k + 1] * (1 if k == depth - 2 else 2)
            self.up.append(Doubled(inputs, wide[k], light=light))
            self.up_norms.append(InstanceNorm(wide[k], affine=True))
        last, fine = 2 * width if depth > 1 else width, max(width // 4, 1)
        self.last: nn.Module = Doubled(last, fine, light=True) if light else nn.Identity()
        self.last_norm: nn.Module = InstanceNorm(fine, affine=True) if light else nn.Identity()
        self.head: nn.Module = (
            nn.Conv2d(fine + channels, channels, 3, padding=1, padding_mode="reflect")
            if light
            else nn.ConvTranspose2d(last, channels, 4, 2, 1)
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        seen: list[Tensor] = []  # (N, width, H/2, W/2), (N, 2 width, H/4, W/4), ...
        h = x
        for step, norm in zip(self.down, self.down_norms, strict=True):
            h = F.leaky_relu(norm(step(h)), 0.2)
            seen.append(h)
        seen.pop()
        for number, (step, norm) in enumerate(zip(self.up, self.up_norms, strict=True)):
            h = norm(step(h))
            if number < _DROPPED and self.dropout:
                h = F.dropout(h, self.dropout, self.training)
            h = torch.cat([F.relu(h), seen.pop()], 1)
        if self.light:  # few features at full size, beside the picture itself
            h = torch.cat([F.relu(self.last_norm(self.last(h))), x], 1)  # (N, width / 4 + 3, H, W)
        drawn = self.head(h)  # (N, 3, H, W)
        return x + drawn if self.residual else torch.tanh(drawn)


class ResidualBlock(nn.Module):
    """Two convolutions around which the features also go straight; final."""

    def __init__(self, width: int, *, light: bool) -> None:
        super().__init__()
        self.steps = nn.Sequential(
            nn.ReflectionPad2d(1), convolution(width, width, 3, light=light, bias=True),
            InstanceNorm(width, affine=False), nn.ReLU(),
            nn.ReflectionPad2d(1), convolution(width, width, 3, light=light, bias=True),
            InstanceNorm(width, affine=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = x + self.steps(x)
        return changed


class ResNet(nn.Module):
    """The paper's generator: two halvings, `blocks` residual blocks, two doublings; final."""

    def __init__(
        self, *, width: int = 64, blocks: int = 9, light: bool = False, residual: bool = False,
        channels: int = 3,
    ) -> None:  # fmt: skip
        super().__init__()
        self.residual = residual
        steps: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7)]
        steps += [InstanceNorm(width, affine=False), nn.ReLU()]
        for inputs in (width, 2 * width):
            steps.append(convolution(inputs, 2 * inputs, 3, 2, 1, light=light, bias=True))
            steps += [InstanceNorm(2 * inputs, affine=False), nn.ReLU()]
        steps += [ResidualBlock(4 * width, light=light) for _ in range(blocks)]
        for inputs in (4 * width, 2 * width):
            steps.append(
                Doubled(inputs, inputs // 2, light=True)
                if light
                else nn.ConvTranspose2d(inputs, inputs // 2, 3, 2, 1, output_padding=1)
            )
            steps += [InstanceNorm(inputs // 2, affine=False), nn.ReLU()]
        self.steps = nn.Sequential(*steps, nn.ReflectionPad2d(3))
        self.head = nn.Conv2d(width, channels, 7)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        drawn = self.head(self.steps(x))  # (N, 3, H, W)
        return x + drawn if self.residual else torch.tanh(drawn)


class PatchGan(nn.Module):
    """A number for every patch (70 px with 3 layers), near 1 where it looks real; final."""

    def __init__(self, *, width: int = 64, layers: int = 3, channels: int = 3) -> None:
        super().__init__()
        steps: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        inputs = width
        for k in range(1, layers + 1):
            outputs = width * min(2**k, _WIDEST)
            steps.append(nn.Conv2d(inputs, outputs, 4, 2 if k < layers else 1, 1))
            steps += [InstanceNorm(outputs, affine=False), nn.LeakyReLU(0.2)]
            inputs = outputs
        self.steps = nn.Sequential(*steps, nn.Conv2d(inputs, 1, 4, 1, 1))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        judged: Tensor = self.steps(x)  # (N, 1, about H/8, about W/8)
        return judged


def initialise(network: nn.Module) -> None:
    """Small normal weights; the head of a residual generator draws nothing yet."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, _START_LIGHT if module.groups > 1 else _START)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if getattr(network, "residual", False):
        assert isinstance(network.head, nn.Conv2d | nn.ConvTranspose2d)
        nn.init.zeros_(network.head.weight)


def build(shape: Mapping[str, Any]) -> UNet | ResNet:
    """The generator that `shape` describes: `kind`, and what its class is built with."""
    kinds: dict[str, Any] = {"unet": UNet, "resnet": ResNet}
    rest = {key: value for key, value in shape.items() if key != "kind"}
    network: UNet | ResNet = kinds[shape["kind"]](**rest)
    return network


class ImagePool:
    """The last `size` drawn pictures: half of what a judge sees is history (section 4); final."""

    def __init__(self, size: int = 50) -> None:
        self.size = size
        self.kept: list[Tensor] = []

    def exchange(self, pictures: Tensor) -> Tensor:
        """(N, C, H, W) of which each may be swapped for one of before, which it replaces."""
        shown = []
        for picture in torch.split(pictures.detach(), 1):
            if len(self.kept) < self.size:
                self.kept.append(picture.clone())
            elif torch.rand(()) < 0.5 and self.size:
                place = int(torch.randint(self.size, ()))
                self.kept[place], picture = picture.clone(), self.kept[place]
            shown.append(picture)
        return torch.cat(shown)


def judged_as(judged: Tensor, real: float) -> Tensor:
    """Least squares (Mao et al. 2017): how far a judge's answers are from `real`, 0 or 1."""
    return (judged - real).square().mean()


def told_apart(judge: nn.Module, real: Tensor, drawn: Tensor) -> Tensor:
    """A judge's loss: halved, so that it learns more slowly than the generators."""
    return (judged_as(judge(real), 1.0) + judged_as(judge(drawn), 0.0)) / 2


class CycleGan(nn.Module):
    """Two generators and their two judges; final."""

    def __init__(self, shape: Mapping[str, Any], judge: Mapping[str, Any]) -> None:
        super().__init__()
        self.to_painting, self.to_photo = build(shape), build(shape)
        self.judge_painting, self.judge_photo = PatchGan(**judge), PatchGan(**judge)

    def drawn(
        self, photo: Tensor, painting: Tensor, *, cycle: float, identity: float
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """The generators' losses, already weighted, and the two pictures they drew.

        `cycle` weighs L1 after there and back; `identity` weighs L1 after asking a generator for
        what it was given, which keeps colours.
        """
        painted, same_painting = _both(self.to_painting, photo, painting, identity)
        photographed, same_photo = _both(self.to_photo, painting, photo, identity)
        losses = {
            "adversarial_painting": judged_as(self.judge_painting(painted), 1.0),
            "adversarial_photo": judged_as(self.judge_photo(photographed), 1.0),
            "cycle_photo": cycle * F.l1_loss(self.to_photo(painted), photo),
            "cycle_painting": cycle * F.l1_loss(self.to_painting(photographed), painting),
        }
        if same_painting is not None and same_photo is not None:
            same = F.l1_loss(same_painting, painting) + F.l1_loss(same_photo, photo)
            losses["identity"] = identity * same
        return losses, painted, photographed


def _both(
    network: nn.Module, other: Tensor, own: Tensor, identity: float
) -> tuple[Tensor, Tensor | None]:
    """What a generator makes of the other kind, and of its own kind where that is weighed."""
    if not identity:
        return network(other), None
    drawn = network(torch.cat([other, own]))
    return drawn[: len(other)], drawn[len(other) :]
