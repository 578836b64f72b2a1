"""A convolution as one matrix product is torch's own, forth and back."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from brainlens.generative.unrolled import SMALL, Doubling, Windows


def gradients(made: Tensor, of: tuple[Tensor, ...], down: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(made, of, down)


@pytest.mark.parametrize(("stride", "side"), [(2, 2 * SMALL), (1, SMALL), (2, 4)])
def test_windows_are_a_convolution(stride: int, side: int) -> None:
    torch.manual_seed(0)
    layer = Windows(3, 4, stride).double()
    assert layer.bias is not None
    x = torch.randn(2, 3, side, side, dtype=torch.float64, requires_grad=True)
    wanted = F.conv2d(x, layer.weight, layer.bias, stride, 2)
    torch.testing.assert_close(layer(x), wanted)
    down, of = torch.randn_like(wanted), (x, layer.weight, layer.bias)
    torch.testing.assert_close(gradients(layer(x), of, down), gradients(wanted, of, down))


def test_doubling_is_a_transposed_convolution() -> None:
    torch.manual_seed(0)
    layer = Doubling(3, 4).double()
    assert layer.bias is not None
    x = torch.randn(2, 3, SMALL, SMALL, dtype=torch.float64, requires_grad=True)
    wanted = F.conv_transpose2d(x, layer.weight, layer.bias, 2, 2, 1)
    torch.testing.assert_close(layer(x), wanted)
    down, of = torch.randn_like(wanted), (x, layer.weight, layer.bias)
    torch.testing.assert_close(gradients(layer(x), of, down), gradients(wanted, of, down))


def test_wider_maps_go_torch_s_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = Windows(3, 4, 2), Doubling(4, 3)
    wide = torch.zeros(1, 3, 4 * SMALL, 4 * SMALL), torch.zeros(1, 4, 2 * SMALL, 2 * SMALL)
    monkeypatch.setattr("brainlens.generative.unrolled.unroll", None)
    monkeypatch.setattr("brainlens.generative.unrolled.fold", None)
    for layer, x, side in zip(layers, wide, (2 * SMALL, 4 * SMALL), strict=True):
        assert layer(x).shape[2:] == (side, side)


def test_under_autocast_the_product_is_in_bf16_as_a_convolution_would_be() -> None:
    layer = Windows(3, 4, 2)
    x = torch.randn(2, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        made = layer(x)
        own = F.conv2d(x, layer.weight, layer.bias, 2, 2)
    assert made.dtype == own.dtype == torch.bfloat16
    torch.testing.assert_close(made, own, rtol=0.05, atol=0.02)
