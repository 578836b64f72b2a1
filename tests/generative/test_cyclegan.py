"""CycleGAN: its networks are the published ones, its losses the paper's, its pool has a memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from brainlens.generative.cyclegan import (
    CycleGan,
    ImagePool,
    InstanceNorm,
    PatchGan,
    ResNet,
    UNet,
    build,
    judged_as,
    told_apart,
)

SMALL = {"kind": "unet", "width": 4, "depth": 3}
JUDGE = {"width": 4, "layers": 2}


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_networks_have_the_published_numbers_of_parameters() -> None:
    """ResNet-9 and PatchGAN as the authors' code prints them (11.378 M, 2.765 M)."""
    with torch.device("meta"):
        resnet, judge, unet = ResNet(), PatchGan(), UNet()
    stem, head = 3 * 64 * 49 + 64, 64 * 3 * 49 + 3
    down = (64 * 128 * 9 + 128) + (128 * 256 * 9 + 256)
    up = (256 * 128 * 9 + 128) + (128 * 64 * 9 + 64)
    assert parameters(resnet) == stem + down + 18 * (256 * 256 * 9 + 256) + up + head == 11_378_179
    layers = ((3, 64), (64, 128), (128, 256), (256, 512), (512, 1))
    assert parameters(judge) == sum(16 * i * o + o for i, o in layers) == 2_764_737
    # tensorflow.org/tutorials/generative/pix2pix prints 54,414,979 trainable ones for this U-Net
    assert parameters(unet) == 54_414_979


def test_a_light_unet_is_counted_by_hand() -> None:
    """Width 4, depth 2: a full convolution, a separable one, two steps up, a head."""
    first, separable, norm = 16 * 3 * 4, 16 * 4 + 4 * 8, 2 * 8
    up, up_norm = 8 * 4 + 9 * 4, 2 * 4
    last, last_norm, head = 8 * 1 + 9 * 1, 2 * 1, (1 + 3) * 3 * 9 + 3
    wanted = first + separable + norm + up + up_norm + last + last_norm + head
    assert parameters(UNet(width=4, depth=2, light=True)) == wanted


@pytest.mark.parametrize("kind", [UNet, ResNet])
def test_light_generators_have_a_third_of_the_parameters_at_most(kind: Any) -> None:
    with torch.device("meta"):
        assert parameters(kind(light=True)) * 3 < parameters(kind())


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("shape", [{"kind": "unet", "depth": 3}, {"kind": "resnet", "blocks": 1}])
def test_a_residual_generator_starts_as_the_identity(shape: dict[str, Any], light: bool) -> None:
    network = build(shape | {"width": 4, "light": light, "residual": True}).eval()
    x = torch.rand(2, 3, 16, 24) * 2 - 1
    assert torch.equal(network(x), x)


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("shape", [{"kind": "unet", "depth": 3}, {"kind": "resnet", "blocks": 1}])
def test_other_generators_answer_in_the_same_size_between_black_and_white(
    shape: dict[str, Any], light: bool
) -> None:
    drawn = build(shape | {"width": 4, "light": light})(torch.rand(2, 3, 16, 24) * 2 - 1)
    assert drawn.shape == (2, 3, 16, 24)
    assert drawn.abs().max() < 1
    assert drawn.std() > 0


def test_every_parameter_of_a_generator_learns() -> None:
    for shape in (SMALL, SMALL | {"light": True}, {"kind": "resnet", "width": 4, "blocks": 1}):
        network = build(shape)
        network(torch.rand(1, 3, 16, 16)).square().sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None
            assert parameter.grad.abs().sum() > 0, name


def test_a_judge_sees_patches_of_70_pixels() -> None:
    """Kernel 4, strides 2 2 2 1 1: 1 -> 4 -> 7 -> 16 -> 34 -> 70, counted from the end."""
    judge = PatchGan(width=2)
    for step in judge.steps:
        if isinstance(step, InstanceNorm):  # means over the whole picture reach further
            step.forward = lambda x: x  # type: ignore[method-assign]
    x = torch.rand(1, 3, 192, 192, requires_grad=True)
    judged = judge(x)
    judged[0, 0, judged.shape[2] // 2, judged.shape[3] // 2].backward()
    assert x.grad is not None
    rows = x.grad.abs().sum((0, 1, 3)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 70


def test_instance_norm_is_of_one_picture_and_leaves_a_single_pixel() -> None:
    norm = InstanceNorm(1, affine=True)
    x = torch.tensor([[[[1.0, 3.0]]], [[[10.0, 10.0]]]])
    expected = torch.tensor([[[[-1.0, 1.0]]], [[[0.0, 0.0]]]])
    torch.testing.assert_close(norm(x), expected, atol=1e-4, rtol=0)
    assert norm(torch.full((1, 1, 1, 1), 7.0)) == 7.0


def test_adversarial_losses_are_least_squares() -> None:
    judged = torch.tensor([0.5, 2.0])
    assert judged_as(judged, 1.0) == pytest.approx((0.25 + 1.0) / 2)
    judge = nn.Identity()
    real, drawn = torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])
    assert told_apart(judge, real, drawn) == pytest.approx((0.5 + 0.25) / 2)


class Shift(nn.Module):
    """A generator whose answers are known."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return x + self.by


def test_a_steps_losses_are_those_counted_by_hand() -> None:
    """There +0.5, back -0.2: a round trip is off by 0.3, leaving alone by 0.5 and by 0.2."""
    gan = CycleGan(SMALL, JUDGE)
    gan.to_painting, gan.to_photo = Shift(0.5), Shift(-0.2)  # type: ignore[assignment]
    gan.judge_painting, gan.judge_photo = nn.Identity(), nn.Identity()  # type: ignore[assignment]
    photo, painting = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.1)
    losses, painted, photographed = gan.drawn(photo, painting, cycle=10.0, identity=5.0)
    wanted = {
        "adversarial_painting": (0.5 - 1) ** 2,
        "adversarial_photo": (-0.1 - 1) ** 2,
        "cycle_photo": 10 * 0.3,
        "cycle_painting": 10 * 0.3,
        "identity": 5 * (0.5 + 0.2),
    }
    assert {name: float(value) for name, value in losses.items()} == pytest.approx(wanted)
    assert float(painted.mean()) == pytest.approx(0.5)
    assert float(photographed.mean()) == pytest.approx(-0.1)
    assert "identity" not in gan.drawn(photo, painting, cycle=10.0, identity=0.0)[0]


def test_identity_costs_nothing_but_time() -> None:
    """Both kinds of picture go through in one batch, which must not mix them."""
    torch.manual_seed(0)
    gan = CycleGan(SMALL, JUDGE)
    photo, painting = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)
    with_it = gan.drawn(photo, painting, cycle=1.0, identity=1.0)[1]
    without = gan.drawn(photo, painting, cycle=1.0, identity=0.0)[1]
    torch.testing.assert_close(with_it, without)


def test_a_pool_fills_then_shows_history_half_of_the_time() -> None:
    torch.manual_seed(0)
    pool = ImagePool(2)
    shown = [float(pool.exchange(torch.full((1, 1, 1, 1), float(i)))) for i in range(400)]
    assert shown[:2] == [0.0, 1.0]
    older = [i for i, value in enumerate(shown) if value != i]
    assert 150 < len(older) < 250
    assert all(shown[i] < i for i in older)
    assert len(set(shown[2:])) == 398, "what was shown from the pool has left it"
    assert len(pool.kept) == 2


def test_a_pool_of_none_shows_what_it_is_given() -> None:
    pool = ImagePool(0)
    assert [float(pool.exchange(torch.full((1, 1, 1, 1), float(i)))) for i in range(9)] == [
        float(i) for i in range(9)
    ]
