"""Owns the two phases of ESRGAN's training (Wang et al. 2018, section 3): what one step does.

Phase 1 learns pixels: L1 alone. Phase 2 adds a perceptual loss (VGG features before activation) and
a relativistic average discriminator (Jolicoeur-Martineau 2018). Lightning drives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from brainlens.core.interpolation import resize
from brainlens.core.seeding import seed_everything
from brainlens.generative.lpips import features, imagenet_input, trunk
from brainlens.generative.rrdb import RRDBNet
from brainlens.generative.srconfig import SrConfig
from brainlens.generative.srpatches import Patches, made_coarse

Array = np.ndarray[Any, Any]
_CONV5_3 = 28  # VGG16's last convolution, before its activation
_VAL_SIDE = 128  # sharp pixels of the middle of a validation slice


class Discriminator(nn.Module):
    """Five strided convolutions and a mean: real or restored, one logit a patch; final."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.LeakyReLU(0.2)]
        inputs = width
        for outputs in (width, 2 * width, 4 * width, 8 * width):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs)]
            layers.append(nn.LeakyReLU(0.2))
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(inputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.layers(x).mean((2, 3)))  # (N, 1)
        return logits.float()


def relativistic(real: Tensor, fake: Tensor, *, for_generator: bool) -> Tensor:
    """Is a real picture more real than the mean fake one, and the other way round?"""
    truth = 0.0 if for_generator else 1.0
    first = F.binary_cross_entropy_with_logits(real - fake.mean(), torch.full_like(real, truth))
    second = F.binary_cross_entropy_with_logits(
        fake - real.mean(), torch.full_like(fake, 1 - truth)
    )
    return (first + second) / 2


class SrLoop(pl.LightningModule):
    """One training run of a generator, `every` steps an epoch; final."""

    def __init__(
        self, network: RRDBNet, config: SrConfig, train: Sequence[Array], val: Sequence[Array]
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = network.to(memory_format=torch.channels_last)  # convolutions run faster so
        self.config = config
        self.pictures = train
        self.val_pairs = [_pair(picture, config) for picture in val]
        self.critic = Discriminator().to(memory_format=torch.channels_last)
        # In a tuple, so that VGG16 is no part of what is trained and kept.
        self.judge: tuple[nn.Sequential, ...] = ()
        if config.gan_steps:
            self.judge = (trunk().to(memory_format=torch.channels_last),)
        self.pixel_epochs = config.pixel_steps // config.every
        self.totals: dict[str, float] = {}
        self.figures: dict[str, float] = {}

    @property
    def adversarial(self) -> bool:
        """Whether this epoch is of the second phase."""
        return self.current_epoch >= self.pixel_epochs

    def train_dataloader(self) -> Any:
        """The epoch's own steps; Lightning asks anew each epoch."""
        first = self.current_epoch * self.config.every
        steps = Patches(self.pictures, self.config, first, first + self.config.every)
        return DataLoader(steps, batch_size=None, shuffle=False)

    def val_dataloader(self) -> Any:
        return DataLoader(range(len(self.val_pairs)), batch_size=None)  # type: ignore[arg-type]

    def configure_optimizers(self) -> Any:
        config = self.config
        betas = (0.9, 0.99)
        make = torch.optim.Adam(self.network.parameters(), config.learning_rate, betas)
        judge = torch.optim.Adam(self.critic.parameters(), config.gan_rate, betas)
        return [make, judge]

    def restore(self, coarse: Tensor) -> Tensor:
        """(N, 1, h, w) to (N, 1, 4h, 4w); the network has the channels of its first weights."""
        channels = self.network.conv_first.in_channels
        planes = coarse.expand(-1, channels, -1, -1)
        restored: Tensor = self.network(planes.contiguous(memory_format=torch.channels_last))
        return restored.float().mean(1, keepdim=True)

    def on_train_epoch_start(self) -> None:
        seed_everything(self.config.seed, "epoch", self.current_epoch)
        self.network.train()
        self.totals = {}
        if self.current_epoch == self.pixel_epochs:
            # Adam's second moments are those of L1's small gradients: with them the first steps of
            # phase 2 would be many times as long as its rate says.
            self.trainer.optimizers[0].state.clear()
        for judge in self.judge:
            judge.to(self.device)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self._rate()

    def _rate(self) -> float:
        """Halved for the last third of phase 1; in phase 2 it falls, epoch by epoch, towards 0."""
        done, config = self.current_epoch - self.pixel_epochs, self.config
        if self.adversarial:
            return config.gan_rate * (1 - done * config.every / config.gan_steps)
        return config.learning_rate * (0.5 if done >= -self.pixel_epochs / 3 else 1.0)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        coarse, sharp = batch
        make, judge = self.optimizers()  # type: ignore[attr-defined]
        restored = self.restore(coarse)
        pixel = F.l1_loss(restored, sharp)
        loss = pixel
        if self.adversarial:
            config = self.config
            logits = self.critic(sharp).detach(), self.critic(restored)
            fooled = relativistic(*logits, for_generator=True)
            loss = config.pixel_weight * pixel + config.adversarial_weight * fooled
            loss = loss + config.perceptual_weight * self.perceptual(restored, sharp)
        if not self._warming(batch_idx):
            make.zero_grad()
            self.manual_backward(loss)
            make.step()
        self._count("l1", pixel)
        if self.adversarial:
            judge.zero_grad()
            told = relativistic(
                self.critic(sharp), self.critic(restored.detach()), for_generator=False
            )
            self.manual_backward(told)
            judge.step()
            self._count("critic", told)

    def _warming(self, batch_idx: int) -> bool:
        """Whether only the critic learns yet: what an untaught one says would only do harm."""
        done = (self.current_epoch - self.pixel_epochs) * self.config.every + batch_idx
        return self.adversarial and done < self.config.critic_steps

    def perceptual(self, restored: Tensor, sharp: Tensor) -> Tensor:
        """L1 between VGG16's conv5_3 maps, before activation."""
        (judge,) = self.judge
        (a,) = features(judge, imagenet_input(restored), (_CONV5_3,))
        with torch.no_grad():
            (b,) = features(judge, imagenet_input(sharp), (_CONV5_3,))
        return F.l1_loss(a.float(), b.float())

    def _count(self, name: str, value: Tensor) -> None:
        self.totals[name] = self.totals.get(name, 0.0) + float(value.detach())

    def on_validation_epoch_start(self) -> None:
        self.scores: list[tuple[float, float]] = []

    def validation_step(self, number: int, batch_idx: int) -> None:
        self.scores.append(self._compare(int(number), self.restore))

    def on_validation_epoch_end(self) -> None:
        steps = self.config.every
        self.figures = {name: total / steps for name, total in self.totals.items()}
        self.figures |= _means(self.scores)

    def judged(self, restore: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """PSNR and perceptual distance of any way to restore the validation slices."""
        with torch.inference_mode():
            return _means([self._compare(i, restore) for i in range(len(self.val_pairs))])

    def _compare(self, number: int, restore: Callable[[Tensor], Tensor]) -> tuple[float, float]:
        """PSNR in dB, 4 pixels of border left out, and the perceptual distance; in fp32."""
        coarse, sharp = (one.to(self.device) for one in self.val_pairs[number])
        with torch.autocast(self.device.type, enabled=False):
            restored = (restore(coarse).clamp(0, 1) * 255).round() / 255
            vgg = float(self.perceptual(restored, sharp)) if self.judge else float("nan")
        inside = (..., slice(4, -4), slice(4, -4))
        error = float(((restored - sharp)[inside] ** 2).mean())
        return 10 * float(np.log10(1 / max(error, 1e-10))), vgg


def bicubic(coarse: Tensor) -> Tensor:
    """What a generator must be better than."""
    height, width = coarse.shape[-2:]
    done = [resize(one[0].cpu().numpy(), 4 * height, 4 * width) for one in coarse]
    return torch.from_numpy(np.stack(done))[:, None].to(coarse)


def _means(scores: Sequence[tuple[float, float]]) -> dict[str, float]:
    psnr, vgg = np.mean(scores, 0)
    seen = {} if np.isnan(vgg) else {"vgg": float(vgg)}
    return {"psnr": float(psnr)} | seen


def _pair(picture: Array, config: SrConfig) -> tuple[Tensor, Tensor]:
    """The middle of a validation slice, coarse and sharp, (1, 1, ...), without noise."""
    sharp = torch.from_numpy(picture.astype(np.float32) / 255)[None]
    coarse = made_coarse(sharp, config)
    height, width = coarse.shape[1:]
    side = _VAL_SIDE // 4
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    small = coarse[:, top : top + side, left : left + side]
    big = sharp[:, top * 4 : (top + side) * 4, left * 4 : (left + side) * 4]
    return small[None], big[None]
