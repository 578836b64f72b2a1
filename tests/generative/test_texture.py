"""Texture: Gram matrices by hand, and what the paintings' own texture counts as."""

from __future__ import annotations

import pytest
import torch

from brainlens.core.errors import WeightsError
from brainlens.generative.texture import Texture, gram, parts, share


def test_a_gram_matrix_is_the_mean_product_of_every_two_features() -> None:
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])  # two features of two pixels
    expected = torch.tensor([[[2.5, 0.5], [0.5, 5.0]]])  # (1+4)/2, (3-2)/2, (9+1)/2
    assert torch.equal(gram(maps), expected)


def test_a_texture_does_not_hang_on_where_its_features_lie() -> None:
    maps = torch.rand(1, 4, 6, 6)
    moved = maps.flatten(2)[:, :, torch.randperm(36)].view_as(maps)
    assert torch.allclose(gram(maps), gram(moved), atol=1e-6)


def test_parts_are_the_tiles_of_a_picture() -> None:
    maps = torch.arange(36.0).reshape(1, 1, 6, 6)
    tiles = parts(maps, 3)
    assert tiles.shape == (9, 1, 2, 2)
    assert torch.equal(tiles[0, 0], maps[0, 0, :2, :2])
    assert torch.equal(tiles[5, 0], maps[0, 0, 2:4, 4:])


def test_a_share_is_of_what_is_wanted() -> None:
    wanted = torch.tensor([[3.0, 4.0]])
    assert share(wanted, wanted) == 0
    assert share(torch.zeros(1, 2), wanted) == 1
    assert share(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), wanted[0]).item() == pytest.approx(0.5)


def test_the_paintings_are_nearest_to_their_own_texture() -> None:
    noise = torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    try:
        texture = Texture([noise])
    except WeightsError:
        pytest.skip("needs VGG16's weights")
    own, kept = texture(noise[None], noise[None])
    assert kept.item() == 0
    flat = torch.zeros(1, 3, 128, 128, requires_grad=True)
    other, lost = texture(flat, noise[None])
    assert other > 3 * own  # of which its parts leave a little, each by chance
    assert lost > 0.1
    other.backward()
    assert flat.grad is not None
    assert flat.grad.abs().sum() > 0
