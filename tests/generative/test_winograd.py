"""The fast pass is the plain pass."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from brainlens.generative.rrdb import RRDBNet
from brainlens.generative.winograd import FastNetwork, Grid, transformed


@pytest.mark.parametrize("size", [(8, 12), (9, 14), (5, 7), (4, 4)])
def test_a_convolution_in_the_transformed_domain_is_a_convolution(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(1, 5, *size), torch.randn(3, 5, 3, 3), torch.randn(3)
    grid = Grid(*size)
    seen = torch.empty(36, grid.tiles, 5)
    grid.forward(x[0].permute(1, 2, 0).contiguous(), seen)
    done = grid.back(torch.bmm(seen, transformed(weight)), bias)
    expected = F.conv2d(x, weight, bias, padding=1)[0].permute(1, 2, 0)
    torch.testing.assert_close(done, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(13, 10), (16, 24)])
def test_the_fast_network_is_the_network(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = RRDBNet(blocks=3, features=16, growth=8).eval()
    x = torch.rand(1, 3, *size)
    with torch.inference_mode():
        torch.testing.assert_close(FastNetwork(network)(x), network(x), atol=1e-4, rtol=1e-4)
