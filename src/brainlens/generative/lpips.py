"""Owns LPIPS (Zhang et al. 2018, arXiv 1801.03924): how different two pictures look to VGG16.

Enters: two (H, W) or (H, W, 3) pictures of 0 to 255. Leaves: one number, 0 for equal pictures. The
trunk is ImageNet's VGG16 (`weights/`, else timm's download), the linear weights are the authors'
version 0.1, which torchmetrics carries. The trunk also gives training its perceptual loss.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from brainlens.core.pretrained import pretrained_state

Array = np.ndarray[Any, Any]
TAPS = (3, 8, 15, 22, 29)  # of torchvision's `features`: relu1_2, 2_2, 3_3, 4_3, 5_3
_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # LPIPS's own, on -1 to 1
_NAME = "vgg16.tv_in1k"
_OTHERWISE = (
    "do without it (upscale score: --no-lpips; style train: --set texture=0 --set content=0)"
)


def trunk() -> nn.Sequential:
    """VGG16's convolutions with ImageNet weights, frozen; raises WeightsError."""
    layers: list[nn.Module] = []
    inputs = 3
    for width in _WIDTHS:
        if width:
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
        else:
            layers.append(nn.MaxPool2d(2))
    network = nn.Sequential(*layers)
    state = {
        key.removeprefix("features."): value.float()
        for key, value in pretrained_state(_NAME, otherwise=_OTHERWISE)[0].items()
        if key.startswith("features.")
    }
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def features(network: nn.Sequential, x: Tensor, taps: tuple[int, ...] = TAPS) -> list[Tensor]:
    """The maps that come out of the layers `taps`."""
    found = []
    for number, layer in enumerate(network[: max(taps) + 1]):
        x = layer(x)
        if number in taps:
            found.append(x)
    return found


class Lpips:
    """The measure, ready to use; final."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.trunk = trunk().to(device)
        own = files("torchmetrics") / "functional" / "image" / "lpips_models" / "vgg.pth"
        with as_file(own) as path:
            state = torch.load(path, map_location=device, weights_only=True)
        self.weights = [state[f"lin{k}.model.1.weight"] for k in range(5)]  # each (1, C, 1, 1)

    def __call__(self, a: Array, b: Array) -> float:
        """The distance of two pictures."""
        return self.between(self.maps(a), self.maps(b))

    def maps(self, picture: Array) -> list[Tensor]:
        """What VGG16 sees of a picture: compute it once for an original that is compared often."""
        with torch.inference_mode():
            return [_unit(one) for one in features(self.trunk, self._input(picture))]

    def between(self, a: list[Tensor], b: list[Tensor]) -> float:
        """The distance of two pictures by their maps."""
        with torch.inference_mode():
            distance = 0.0
            for weight, x, y in zip(self.weights, a, b, strict=True):
                distance += float((weight * (x - y) ** 2).sum(1).mean())
        return distance

    def _input(self, picture: Array) -> Tensor:
        colour = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2)
        x = torch.from_numpy(np.ascontiguousarray(colour.transpose(2, 0, 1))).float() / 127.5 - 1
        shift, scale = torch.tensor(_SHIFT)[:, None, None], torch.tensor(_SCALE)[:, None, None]
        return ((x - shift) / scale)[None].to(self.device)


def _unit(x: Tensor) -> Tensor:
    """Every pixel's features at length 1."""
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def imagenet_input(x: Tensor) -> Tensor:
    """(N, 1 or 3, H, W) of 0 to 1 as VGG16 wants it."""
    colour = x.expand(-1, 3, -1, -1)
    mean, std = torch.tensor(_MEAN, device=x.device), torch.tensor(_STD, device=x.device)
    return (colour - mean[:, None, None]) / std[:, None, None]
