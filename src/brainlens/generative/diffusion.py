"""Owns the diffusion model (Ho et al. 2020, arXiv 2006.11239): its network and how it draws.

MONAI's U-Net sees a noisy picture, how noisy it is and its class, and tells the velocity (Salimans
and Ho 2022, arXiv 2202.00512) on a cosine schedule (Nichol and Dhariwal 2021, arXiv 2102.09672).
It sees patches of pixels as channels (Hoogeboom et al. 2023, arXiv 2301.11093), so that a CPU can
train it. Drawing is DDIM without noise (Song et al. 2021, arXiv 2010.02502): a picture comes of
its seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from brainlens.core.errors import UserError
from brainlens.core.seeding import generator as numbers
from brainlens.generative.diffusionconfig import GROUPS, DiffusionConfig

_SCHEDULE, _PREDICTS = "cosine", "v_prediction"  # MONAI's names


class Denoiser(nn.Module):
    """Noisy pictures (N, C, size, size), their noise steps (N,) and classes to velocities; final.

    The first weights tell 0 for everything.
    """

    def __init__(self, config: DiffusionConfig, classes: int = 1) -> None:
        super().__init__()
        self.classes = classes if config.conditional else 0
        self.patch, self.shape = config.patch, (config.channels, config.size, config.size)
        self.noise_steps, self.draw_steps = config.noise_steps, config.draw_steps
        inside = config.channels * config.patch**2
        self.unet = _monai("DiffusionModelUNet")(
            2, inside, inside, num_res_blocks=config.blocks, norm_num_groups=GROUPS,
            channels=(config.width, 2 * config.width, 2 * config.width),
            attention_levels=(False, False, True), num_head_channels=2 * config.width,
            num_class_embeds=self.classes or None,
        )  # fmt: skip
        self.to(memory_format=torch.channels_last)

    def forward(self, noisy: Tensor, step: Tensor, labels: Tensor | None = None) -> Tensor:
        h = F.pixel_unshuffle(noisy, self.patch)  # (N, C * patch^2, size / patch, size / patch)
        h = h.contiguous(memory_format=torch.channels_last)
        told = self.unet(h, step, class_labels=labels if self.classes else None)
        return F.pixel_shuffle(told, self.patch)


def noising(config: DiffusionConfig) -> Any:
    """MONAI's schedule: `add_noise` and `get_velocity` of pictures, noise and steps (N,)."""
    return _monai("DDPMScheduler")(config.noise_steps, _SCHEDULE, prediction_type=_PREDICTS)


def denoising(noise_steps: int, draw_steps: int) -> tuple[Any, range]:
    """MONAI's DDIM, and the noise steps to call it with, the noisiest first.

    MONAI's own list is not evenly spaced while its step assumes that it is: at few steps the
    network would be told another noise than there is.
    """
    schedule = _monai("DDIMScheduler")(
        noise_steps, _SCHEDULE, prediction_type=_PREDICTS, clip_sample=True
    )
    schedule.set_timesteps(draw_steps)
    return schedule, range(noise_steps - 1, -1, -(noise_steps // draw_steps))


@torch.no_grad()
def draw(network: Denoiser, seeds: Sequence[int], labels: Sequence[int] | None = None) -> Tensor:
    """(N, size, size) uint8 grey pictures, one at a time: none depends on its neighbours."""
    network.eval()
    device = next(network.parameters()).device
    schedule, steps = denoising(network.noise_steps, network.draw_steps)
    done = []
    for i, seed in enumerate(seeds):
        label = torch.tensor([labels[i] if labels else 0], device=device)
        h = torch.from_numpy(first_noise(seed, network.shape))[None].to(device)
        for step in steps:
            told = network(h, torch.tensor([step], device=device), label)
            h, _ = schedule.step(told, step, h)
        grey = (h[0].mean(0).clamp(-1, 1) + 1) * 127.5  # (size, size)
        done.append(grey.round().to(torch.uint8).cpu())
    return torch.stack(done) if done else torch.empty(0, 0, 0, dtype=torch.uint8)


def first_noise(seed: int, shape: tuple[int, ...]) -> Any:
    """The noise that a picture of this seed is made of."""
    return numbers("diffusion", seed).standard_normal(shape, dtype=np.float32)


def _monai(name: str) -> Any:
    """One of MONAI's classes, imported only where a diffusion model is at work."""
    try:
        from monai.networks import schedulers
        from monai.networks.nets.diffusion_model_unet import DiffusionModelUNet
    except ImportError as error:
        raise UserError(
            f"a diffusion model needs MONAI, which is not here ({error}). Install it: "
            "pip install 'brainlens[diffusion]', or take --recipe dcgan-da"
        ) from None
    known = {"DiffusionModelUNet": DiffusionModelUNet}
    return known.get(name) or getattr(schedulers, name)
