"""Depthwise convolutions of bf16 autocast take the gradients that fp32 arithmetic gives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from brainlens.classify.depthwise import Fp32Gradients, fp32_gradients


def rounded(x: Tensor) -> Tensor:
    """As bf16 keeps it, in fp32."""
    return x.bfloat16().float()


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "bias"), [(3, 1, 1, False), (5, 2, 0, False), (5, 2, 2, True)]
)
def test_values_and_gradients_are_those_of_fp32_on_the_same_rounded_numbers(
    kernel: int, stride: int, padding: int, bias: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 8, kernel, stride, padding, groups=8, bias=bias)
    x = torch.randn(2, 8, 15, 15, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16), Fp32Gradients():
        y = layer(x)
    towards = rounded(torch.randn(y.shape))
    y.backward(towards.bfloat16())

    reference = nn.Conv2d(8, 8, kernel, stride, padding, groups=8, bias=bias)
    reference.load_state_dict({k: rounded(v) for k, v in layer.state_dict().items()})
    x_reference = rounded(x.detach()).requires_grad_(True)
    wanted = reference(x_reference)
    wanted.backward(towards)

    assert y.dtype is torch.bfloat16
    assert torch.allclose(y.float(), wanted, rtol=0.01, atol=0.02)
    pairs = [(x, x_reference), *zip(layer.parameters(), reference.parameters(), strict=True)]
    for ours, theirs in pairs:
        assert ours.grad is not None
        assert theirs.grad is not None
        assert ours.grad.dtype is torch.float32
        # Gradients travel as bf16, which keeps eight bits.
        assert torch.allclose(ours.grad, theirs.grad, rtol=0.01, atol=0.01 * kernel)


def test_other_convolutions_and_fp32_are_left_as_they_are() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 9, 9)
    depthwise, full = nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 3)
    with Fp32Gradients():
        for layer in (depthwise, full):
            y = layer(x)
            assert y.dtype is torch.float32
            assert y.grad_fn is not None
            assert "Depthwise" not in y.grad_fn.name()
    with torch.autocast("cpu", torch.bfloat16), Fp32Gradients():
        grad = depthwise(x).grad_fn
        assert grad is not None
        assert "Depthwise" in grad.name()
        other = full(x).grad_fn
        assert other is not None
        assert "Depthwise" not in other.name()


def test_a_convolution_padded_by_name_still_works() -> None:
    layer = nn.Conv2d(4, 4, 3, padding="same", groups=4)
    with torch.autocast("cpu", torch.bfloat16), Fp32Gradients():
        assert layer(torch.randn(1, 4, 9, 9)).shape == (1, 4, 9, 9)


def test_only_a_network_with_depthwise_convolutions_is_stepped_within() -> None:
    grouped = nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.Conv2d(1, 1, 3))
    with fp32_gradients(grouped) as nothing:
        assert nothing is None
    with fp32_gradients(nn.Sequential(grouped, nn.Conv2d(4, 4, 3, groups=4))) as mode:
        assert isinstance(mode, Fp32Gradients)
