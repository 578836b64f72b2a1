"""The DCGAN: the published sizes by hand, one picture a seed, DiffAugment's changes."""

from __future__ import annotations

import dataclasses
from typing import Literal

import pytest
import torch
from torch import nn

from brainlens.core.errors import ConfigError
from brainlens.generative.dcgan import Critic, Generator, draw, latents, settle
from brainlens.generative.diffaugment import CHANGES, colour, cutout, diffaugment, shift
from brainlens.generative.ganconfig import KINDS, GanConfig, check

TINY = GanConfig(size=32, width=16, channels=1, noise=4, batch_size=4)


def weights(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_published_generator_has_the_published_size() -> None:
    network = Generator(GanConfig())
    dense = (100 + 1) * 8 * 8 * 1024
    doublings = sum(25 * 2 * c * c + c + 2 * c for c in (512, 256, 128, 64))  # bias, batch norm
    assert weights(network) == dense + doublings + 25 * 64 * 3 + 3
    shapes: list[tuple[int, ...]] = []
    for layer in network.blocks[::3]:
        layer.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:])))
    with torch.no_grad():
        picture = network.eval()(torch.zeros(1, 100))
    assert shapes == [(512, 16, 16), (256, 32, 32), (128, 64, 64), (64, 128, 128)]
    assert picture.shape == (1, 3, 128, 128)


def test_the_published_critic_has_the_published_size() -> None:
    network = Critic(GanConfig())
    pairs = ((3, 64), (64, 128), (128, 256), (256, 512), (512, 1024))
    assert weights(network) == sum(25 * a * b + b + 2 * b for a, b in pairs) + 8 * 8 * 1024 + 1
    shapes: list[tuple[int, ...]] = []
    for layer in network.layers[::3]:
        layer.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[2:])))
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 128, 128)).shape == (2,)
    assert shapes == [(64, 64), (32, 32), (16, 16), (16, 16), (8, 8)]


def test_the_first_weights_are_a_truncated_normal_of_two_hundredths() -> None:
    first = Generator(dataclasses.replace(TINY, width=128)).blocks[0]
    assert isinstance(first, nn.ConvTranspose2d)
    # A normal cut at two standard deviations keeps 0.880 of its own.
    weight = first.weight.detach()
    assert float(weight.std()) == pytest.approx(0.02 * 0.880, rel=0.02)
    assert float(weight.abs().max()) <= 0.04


@pytest.mark.parametrize("size", [32, 64, 128])
def test_every_size_fits_both_networks(size: Literal[32, 64, 128]) -> None:
    config = dataclasses.replace(TINY, size=size, conditional=True, critic_norm="spectral")
    labels = torch.tensor([0, 2])
    pictures = Generator(config, 3)(torch.zeros(2, 4), labels)
    assert pictures.shape == (2, 1, size, size)
    assert Critic(config, 3)(pictures, labels).shape == (2,)


def test_the_class_changes_picture_and_judgement() -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(TINY, conditional=True)
    generator, critic = Generator(config, 2), Critic(config, 2)
    noise = torch.zeros(2, 4)
    one, other = generator.eval()(noise, torch.tensor([0, 1]))
    assert not torch.equal(one, other)
    assert critic.embed is not None
    nn.init.normal_(critic.embed.weight)
    same = torch.rand(2, 1, 32, 32)
    told = [critic(same, torch.tensor([kind, kind])) for kind in (0, 1)]
    assert float((told[0] - told[1]).detach().abs().min()) > 1e-3


def test_spectral_norm_holds_every_layer_to_one() -> None:
    critic = Critic(dataclasses.replace(TINY, critic_norm="spectral", width=32))
    for _ in range(50):
        critic(torch.rand(2, 1, 32, 32))
    weight = critic.layers[0].weight
    assert isinstance(weight, torch.Tensor)
    largest = torch.linalg.matrix_norm(weight.flatten(1), 2)
    assert float(largest.detach()) == pytest.approx(1, abs=0.02)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in critic.modules())


def test_the_picture_of_a_seed_does_not_depend_on_its_neighbours() -> None:
    torch.manual_seed(0)
    network = Generator(TINY)
    settle(network, batches=2, size=8)
    together, alone = draw(network, [3, 1, 4]), draw(network, [4])
    assert torch.equal(together[2], alone[0])
    assert not torch.equal(together[0], together[1])
    assert torch.equal(latents([5, 6], 4)[1], latents([6], 4)[0])


def test_settling_gives_batch_norm_the_statistics_of_the_weights() -> None:
    torch.manual_seed(0)
    network = Generator(TINY)
    norm = network.blocks[1]
    assert isinstance(norm, nn.BatchNorm2d)
    norm.running_mean.fill_(99)  # type: ignore[union-attr]
    settle(network, batches=1, size=64)
    seen: list[torch.Tensor] = []
    network.blocks[0].register_forward_hook(lambda _m, _i, out: seen.append(out))
    with torch.no_grad():
        network(latents(range(-1, -65, -1), 4))
    torch.testing.assert_close(norm.running_mean, seen[0].mean((0, 2, 3)), atol=1e-6, rtol=1e-4)
    assert norm.momentum == 0.1


def test_shift_moves_whole_pixels_and_brings_in_black() -> None:
    picture = torch.arange(256.0).view(1, 1, 16, 16).expand(40, -1, -1, -1) / 256
    moved = shift(picture, torch.Generator().manual_seed(0))
    offsets = set()
    for one in moved[:, 0]:
        kept = one[one >= 0]
        height = int((one >= 0).any(1).sum())
        width = int((one >= 0).any(0).sum())
        assert (16 - height) <= 2
        assert (16 - width) <= 2
        assert kept.numel() == height * width
        assert set(kept.tolist()) <= set(picture[0].flatten().tolist())
        assert bool((one[one < 0] == -1).all())
        offsets.add((height, width, float(one[8, 8])))
    assert len(offsets) > 10


def test_cutout_greys_at_most_a_quarter() -> None:
    cut = cutout(torch.ones(30, 1, 16, 16), torch.Generator().manual_seed(0))
    shares = (cut == 0).float().mean((1, 2, 3))
    assert float(shares.max()) <= (9 / 16) ** 2
    assert float(shares.min()) > 0


def test_colour_keeps_the_contrast_within_its_range() -> None:
    pictures = torch.rand(50, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    changed = colour(pictures, torch.Generator().manual_seed(0))
    ratio = changed.std((1, 2, 3)) / pictures.std((1, 2, 3))
    assert 0.5 <= float(ratio.min()) < 0.7
    assert 1.3 < float(ratio.max()) <= 1.5
    assert float((changed.mean((1, 2, 3)) - pictures.mean((1, 2, 3))).abs().max()) <= 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_pass_through_every_change(kind: str) -> None:
    pictures = torch.rand(2, 1, 16, 16, requires_grad=True)
    changed = diffaugment(pictures, [kind], torch.Generator().manual_seed(0))
    (slope,) = torch.autograd.grad(changed.sum(), pictures)
    assert float(slope.abs().sum()) > 0


def test_every_change_has_a_name_in_the_settings() -> None:
    assert tuple(CHANGES) == KINDS


@pytest.mark.parametrize(
    ("change", "says"),
    [({"width": 24}, "multiple of 16"), ({"ema": 1.0}, "0 to below 1"),
     ({"real_target": 0.4}, "above 0.5"), ({"diffaugment": ("color",)}, "valid: colour"),
     ({"patience": 3}, "needs a KID"), ({"kid_images": 1}, "at least 2"),
     ({"epochs": 0}, "expected some training"), ({"every": 0}, "1 or more")],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check(dataclasses.replace(TINY, **change))  # type: ignore[arg-type]
