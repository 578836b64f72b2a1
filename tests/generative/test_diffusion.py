"""The diffusion model: an oracle's picture is drawn by hand arithmetic, one picture a seed."""

from __future__ import annotations

import dataclasses
import math
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brainlens.core.errors import ConfigError, UserError
from brainlens.generative.diffusion import Denoiser, denoising, draw, first_noise, noising
from brainlens.generative.diffusionconfig import DiffusionConfig, check_diffusion
from brainlens.generative.diffusionloop import DiffusionLoop, noise_steps
from brainlens.generative.ganconfig import GanConfig
from brainlens.generative.synthconfig import check_settings, settings
from brainlens.recipes import read_recipe

TINY = DiffusionConfig(
    size=32, patch=4, width=8, noise_steps=20, draw_steps=5, batch_size=4, device="cpu"
)


def kept(step: int, steps: int) -> float:
    """How much of a picture is left after `step` (Nichol and Dhariwal, equation 17), squared."""
    turn = [math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for t in (step + 1, 0)]
    return turn[0] / turn[1]


class Oracle(nn.Module):
    """Knows the only picture there is, and so the velocity of everything; written by hand."""

    def __init__(self, picture: Tensor, noise_steps: int, draw_steps: int) -> None:
        super().__init__()
        self.picture, self.shape = nn.Parameter(picture), tuple(picture.shape)
        self.noise_steps, self.draw_steps = noise_steps, draw_steps
        self.seen: list[tuple[int, float]] = []  # the step told, the noise there is

    def forward(self, noisy: Tensor, step: Tensor, labels: Tensor) -> Tensor:
        share = kept(int(step), self.noise_steps)
        left, added = math.sqrt(share), math.sqrt(1 - share)
        noise = (noisy - left * self.picture) / added
        self.seen.append((int(step), float(noise.std())))
        return left * noise - added * self.picture


def test_an_oracle_of_one_picture_draws_it_from_every_seed() -> None:
    picture = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    network = Oracle(picture, 1000, 10)
    drawn = draw(network, [0, 7])  # type: ignore[arg-type]
    expected = ((picture[0] + 1) * 127.5).round()
    assert float((drawn.float() - expected).abs().max()) <= 1
    first = float(first_noise(0, (1, 16, 16)).std())
    for place, (step, spread) in enumerate(network.seen[:10]):
        assert step == 999 - 100 * place
        assert spread == pytest.approx(first, rel=5e-3)  # as noisy as the network is told


def test_noise_is_added_as_by_hand() -> None:
    config = dataclasses.replace(TINY, noise_steps=1000, draw_steps=25)
    picture, noise = torch.full((2, 1, 4, 4), 0.5), torch.full((2, 1, 4, 4), -2.0)
    steps = torch.tensor([0, 600])
    noisy = noising(config).add_noise(picture, noise, steps)[:, 0, 0, 0]
    wanted = noising(config).get_velocity(picture, noise, steps)[:, 0, 0, 0]
    for place, step in enumerate((0, 600)):
        a, s = kept(step, 1000) ** 0.5, (1 - kept(step, 1000)) ** 0.5
        assert float(noisy[place]) == pytest.approx(a * 0.5 - s * 2.0, abs=1e-4)
        assert float(wanted[place]) == pytest.approx(-a * 2.0 - s * 0.5, abs=1e-4)


def test_drawing_ends_at_no_noise_at_all() -> None:
    schedule, steps = denoising(1000, 25)
    assert (steps[0], steps[-1], len(steps)) == (999, 39, 25)
    h, _ = schedule.step(torch.zeros(1), steps[-1], torch.ones(1))
    assert float(h) == pytest.approx(kept(39, 1000) ** 0.5, abs=1e-4)  # the picture, no noise


def test_every_noise_step_has_its_share() -> None:
    steps = noise_steps(8, 1000, torch.Generator().manual_seed(3))
    assert (steps // 125).sort().values.tolist() == list(range(8))
    assert steps.tolist() != steps.sort().values.tolist()
    assert int(noise_steps(4000, 3, torch.Generator().manual_seed(0)).max()) == 2


def test_the_network_tells_nothing_at_first_and_knows_its_class() -> None:
    torch.manual_seed(0)
    network = Denoiser(dataclasses.replace(TINY, channels=3), 2).eval()
    noisy, steps = torch.rand(2, 3, 32, 32), torch.tensor([3, 19])
    with torch.no_grad():
        assert float(network(noisy, steps, torch.tensor([0, 1])).abs().max()) == 0
        for weight in network.parameters():
            nn.init.normal_(weight, std=0.3)
        told = [network(noisy, steps, torch.tensor([kind, kind])) for kind in (0, 1)]
        later = network(noisy, steps.flip(0), torch.tensor([0, 0]))
    assert told[0].shape == (2, 3, 32, 32)
    assert float((told[0] - told[1]).abs().max()) > 1e-3
    assert float((told[0] - later).abs().max()) > 1e-3


def test_the_picture_of_a_seed_does_not_depend_on_its_neighbours() -> None:
    torch.manual_seed(0)
    network = Denoiser(TINY)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.3)
    together, alone = draw(network, [3, 1, 4]), draw(network, [4])
    assert together.shape == (3, 32, 32)
    assert torch.equal(together[2], alone[0])
    assert not torch.equal(together[0], together[1])
    assert np.array_equal(first_noise(5, (2, 4)), first_noise(5, (2, 4)))


def test_a_step_s_loss_is_that_of_hand_and_falls() -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(TINY, rate=0.01, ema=0.9)
    loop = DiffusionLoop(config, np.zeros((4, 32, 32), np.uint8), np.zeros(4, np.int64), 1)
    optimizer = loop.configure_optimizers()
    stand_ins = {"optimizers": lambda: optimizer, "manual_backward": lambda loss: loss.backward()}
    vars(loop).update(stand_ins)  # what Lightning would give
    batch = torch.full((4, 1, 32, 32), 0.6), torch.zeros(4, dtype=torch.long)
    draw = loop.draws()
    shares = [kept(int(step), 20) for step in noise_steps(4, 20, draw)]
    noise = torch.randn(4, 1, 32, 32, generator=draw)
    wanted = [a**0.5 * n - (1 - a) ** 0.5 * 0.6 for a, n in zip(shares, noise, strict=True)]
    before = [weight.clone() for weight in loop.generator.parameters()]
    loop.training_step(batch, 0)
    first = loop.totals["loss"]  # the network tells 0
    assert first == pytest.approx(float(torch.stack(wanted).square().mean()), rel=1e-3)
    assert loop.mean is not None
    pairs = zip(before, loop.mean.parameters(), loop.generator.parameters(), strict=True)
    for old, mean, new in pairs:  # a tenth stays of the weights before, at first
        torch.testing.assert_close(mean, 0.1 * old + 0.9 * new, atol=1e-6, rtol=1e-5)
    for _ in range(7):
        loop.done = 0  # the same noise again
        loop.training_step(batch, 0)
    assert loop.totals["loss"] < 0.9 * 8 * first


def test_the_recipe_names_its_network() -> None:
    table = read_recipe("diffusion", "synth")
    config = settings(table, {"images": 64})
    assert config == dataclasses.replace(DiffusionConfig(), images=64)
    check_settings(config)
    assert isinstance(settings(read_recipe("dcgan", "synth")), GanConfig)
    with pytest.raises(ConfigError, match="did you mean 'diffusion'"):
        settings({"network": "difusion"})
    with pytest.raises(ConfigError, match="unknown setting 'critic_rate'"):
        settings(table, {"critic_rate": 0.1})


@pytest.mark.parametrize(
    ("change", "says"),
    [({"draw_steps": 3}, "a divisor of noise_steps=20"), ({"width": 12}, "multiple of 8"),
     ({"patch": 8}, "leaves 4 of 32"), ({"blocks": 0}, "blocks=0"), ({"rate": 0.0}, "above 0"),
     ({"patience": 2}, "needs a KID"), ({"draw_steps": 0}, "a divisor")],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check_diffusion(dataclasses.replace(TINY, **change))  # type: ignore[arg-type]


def test_without_monai_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai.networks", None)
    with pytest.raises(UserError, match=r"pip install 'brainlens\[diffusion\]'"):
        Denoiser(TINY)
