"""Owns the training loop of a style: what a step does to the networks. Lightning drives.

An epoch is `every` steps: then follow a line, a sheet and a checkpoint. Everything random hangs on
the seed and the step, and the pools are in the checkpoint, so that a resumed run is the same run.
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from brainlens.core.seeding import seed_everything
from brainlens.generative.cyclegan import CycleGan, ImagePool, told_apart
from brainlens.generative.styleconfig import StyleConfig, generator_shape
from brainlens.generative.stylepictures import Array, Pairs, Side, as_tensor
from brainlens.generative.texture import Texture

_BETAS = (0.5, 0.999)  # of Adam, as the paper


class StyleLoop(pl.LightningModule):
    """One training run of two generators; final."""

    def __init__(self, config: StyleConfig, photos: Side, paintings: Side) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.config, self.photos, self.paintings = config, photos, paintings
        judge = {"width": config.judge_width, "layers": config.judge_layers}
        # Channels last: with it bf16 convolutions take two thirds of the time on a CPU.
        self.gan = CycleGan(generator_shape(config), judge).to(memory_format=torch.channels_last)
        self.pools = {"painting": ImagePool(config.pool), "photo": ImagePool(config.pool)}
        self.totals: dict[str, Tensor] = {}
        # In a tuple, so that VGG16 is no part of what is trained and kept.
        self.texture = (Texture([whole(one) for one in paintings.train]),) if seen(config) else ()

    def train_dataloader(self) -> Any:
        """The epoch's own steps; Lightning asks anew each epoch."""
        first = self.current_epoch * self.config.every
        steps = Pairs(self.photos.train, self.paintings.train, self.config, first,
                      first + self.config.every, rank=self.global_rank)  # fmt: skip
        return DataLoader(steps, batch_size=None, shuffle=False)

    def configure_optimizers(self) -> Any:
        gan, config = self.gan, self.config
        drawing = [*gan.to_painting.parameters(), *gan.to_photo.parameters()]
        judging = [*gan.judge_painting.parameters(), *gan.judge_photo.parameters()]
        return [
            torch.optim.Adam(drawing, config.learning_rate, _BETAS, fused=True),
            torch.optim.Adam(judging, config.judge_rate, _BETAS, fused=True),
        ]

    def on_train_epoch_start(self) -> None:
        self.gan.train()
        self.totals = {}
        for texture in self.texture:
            texture.to(self.device)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        photo, painting = batch
        config = self.config
        draw, judge = self.optimizers()  # type: ignore[attr-defined]
        done = self.current_epoch * self.config.every + batch_idx
        seed_everything(config.seed, "step", done, self.global_rank)  # pools and dropout
        self._set_rates(rate_factor(done, config))
        judges = (self.gan.judge_painting, self.gan.judge_photo)
        for one in judges:
            one.requires_grad_(False)  # they only pass the gradient on
        losses, painted, photographed = self.gan.drawn(
            photo, painting, cycle=config.cycle, identity=config.identity
        )
        for texture in self.texture:
            strokes, content = texture(painted, photo)
            losses |= {"texture": config.texture * strokes, "content": config.content * content}
        draw.zero_grad()
        self.manual_backward(torch.stack(list(losses.values())).sum())
        draw.step()
        for one in judges:
            one.requires_grad_(True)
        told = {
            "judge_painting": told_apart(
                judges[0], painting, self.pools["painting"].exchange(painted)
            ),
            "judge_photo": told_apart(judges[1], photo, self.pools["photo"].exchange(photographed)),
        }
        judge.zero_grad()
        self.manual_backward(told["judge_painting"] + told["judge_photo"])
        judge.step()
        for name, value in (losses | told).items():
            self.totals[name] = self.totals.get(name, torch.zeros(())) + value.detach().cpu()

    def means(self) -> dict[str, float]:
        """The epoch's mean losses."""
        return {name: float(total) / self.config.every for name, total in self.totals.items()}

    def on_train_epoch_end(self) -> None:
        """For TensorBoard."""
        for name, value in self.means().items():
            self.log(name, value, rank_zero_only=True)

    def _set_rates(self, factor: float) -> None:
        config = self.config
        rates = (config.learning_rate, config.judge_rate)
        for optimizer, rate in zip(self.trainer.optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["pools"] = {name: list(pool.kept) for name, pool in self.pools.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name, kept in checkpoint["pools"].items():
            self.pools[name].kept = [picture.to(self.device) for picture in kept]


def seen(config: StyleConfig) -> bool:
    """Whether drawings are shown to VGG16."""
    return bool(config.texture or config.content)


def whole(pixels: Array) -> Tensor:
    """The middle square of a picture, as a tensor."""
    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return as_tensor(pixels[top : top + side, left : left + side])


def rate_factor(step: int, config: StyleConfig) -> float:
    """1, and over the last `decay_steps` steps down in a line; the step after the last has 0."""
    left = config.steps - step
    return min(1.0, left / config.decay_steps) if config.decay_steps else 1.0
