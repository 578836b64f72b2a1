"""Owns the training loop's own part: what a step, an epoch and a phase do. Lightning drives it.

Phases: with `tune = "two-phase"` the head trains alone for `head_epochs`, then everything at the
lower `fine_learning_rate`. Frozen layers keep their batch statistics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from brainlens.classify.augment import POLICIES, augment, sample_seeds
from brainlens.classify.batches import Batch, EpochOrder, Pictures, epoch_order, loader
from brainlens.classify.boundary import advance, steps
from brainlens.classify.config import TrainConfig
from brainlens.classify.features import Features
from brainlens.classify.network import Classifier, layer_groups
from brainlens.core.seeding import seed_everything
from brainlens.data.preprocess import Preprocessing

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
}


class Loop(pl.LightningModule):
    """One training run of a classifier; final."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: Classifier,
        config: TrainConfig,
        preprocessing: Preprocessing,
        data: Mapping[str, Pictures | Features],  # "train" and "val"
        *,
        cut: int = 0,  # how many of the network's steps the data have behind them
    ) -> None:
        super().__init__()
        self.network, self.config, self.data = network, config, data
        self.rest = tuple(steps(network)[cut:]) if cut else None  # a tuple: no second owner
        weighted = config.balance == "weights"
        self.balance = class_weights(data["train"].classes) if weighted else None
        self.register_buffer("mean", torch.tensor(preprocessing.mean)[:, None, None], False)
        self.register_buffer("std", torch.tensor(preprocessing.std)[:, None, None], False)
        self.frozen = frozen_layers(network, config)
        for module in self.frozen:
            module.requires_grad_(False)
        self.totals: dict[str, Tensor] = {}
        self.figures: dict[str, float] = {}
        self.plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        self.restored: dict[str, Any] | None = None

    # --- data -----------------------------------------------------------------------------------
    def train_dataloader(self) -> Any:
        """The epoch's own order; Lightning asks anew each epoch."""
        order = epoch_order(
            self.data["train"].classes,
            seed=self.config.seed,
            epoch=self.current_epoch,
            balanced=self.config.balance == "sampling",
        )
        data = self.data["train"]
        if isinstance(data, Features):
            data.view = self.current_epoch % len(data.views)
        return self._loader("train", order)

    def val_dataloader(self) -> Any:
        """Validation pictures in their order, never augmented."""
        return self._loader("val", np.arange(len(self.data["val"])))

    def _loader(self, name: str, order: np.ndarray) -> Any:
        trainer = self.trainer
        batches = EpochOrder(
            order,
            self.config.batch_size,
            trainer.global_rank,
            trainer.world_size,
            even=name == "train",
        )
        return loader(self.data[name], batches)

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """Uint8 pictures travel; they become floats there."""
        return batch.to(device)

    # --- epochs and phases ----------------------------------------------------------------------
    @property
    def head_only(self) -> bool:
        """Whether the backbone rests in this epoch."""
        config = self.config
        return config.tune == "head" or (
            config.tune == "two-phase" and self.current_epoch < config.head_epochs
        )

    def on_train_epoch_start(self) -> None:
        """What trains in this epoch, and at which rate."""
        self.network.train()
        if self.head_only:
            self.network.backbone.eval()
        for module in self.frozen:
            module.eval()
        self.totals = {}
        if self.config.tune == "two-phase" and self.current_epoch == self.config.head_epochs:
            self._set_rate(self.config.fine_rate)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Dropout's randomness and the cosine rate depend on epoch and batch alone.

        So that resuming is exact: Lightning draws random numbers of its own between the epochs.
        """
        seed_everything(self.config.seed, "step", self.current_epoch, batch_idx, self.global_rank)
        if self.config.schedule == "cosine":
            steps = max(1, len(self.trainer.train_dataloader or [0]))
            self._set_rate(cosine_rate(self.config, self.current_epoch + batch_idx / steps))

    def _set_rate(self, rate: float) -> None:
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate

    # --- steps ----------------------------------------------------------------------------------
    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, K) of pictures (N, 1, H, W) in 0..1, or of what stands at the cut."""
        if self.rest is not None:
            if pictures.ndim == 4:
                pictures = pictures.contiguous(memory_format=torch.channels_last)
            logits: Tensor = self.network.head(advance(self.rest, pictures))
            return logits
        x = ((pictures - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        if self.head_only and self.training:
            with torch.no_grad():
                features = self.network.backbone(x)
            return self.network.classify(features)
        logits = self.network(x)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        config = self.config
        logits = self(batch.pictures if self.rest is not None else self._seen(batch, batch_idx))
        weight = None if self.balance is None else self.balance.to(logits.device)
        loss = F.cross_entropy(
            logits.float(), batch.classes, weight, label_smoothing=config.label_smoothing
        )
        self._count("train", logits, batch.classes, loss)
        return loss

    def _seen(self, batch: Batch, batch_idx: int) -> Tensor:
        """The batch's pictures as this epoch shows them."""
        config, epoch = self.config, self.current_epoch
        if config.views:  # the views that features.py keeps
            seeds = sample_seeds(0, epoch % config.views, batch.samples)
        else:
            seeds = sample_seeds(config.seed, epoch, batch.samples, self._turns(batch, batch_idx))
        return augment(batch.pictures.float() / 255, seeds, POLICIES[config.augment])

    def _turns(self, batch: Batch, batch_idx: int) -> range | None:
        """Places in the epoch: a picture drawn twice (balanced sampling) must look new."""
        if self.config.balance != "sampling":
            return None
        first = (batch_idx * self.trainer.world_size + self.global_rank) * self.config.batch_size
        return range(first, first + len(batch.samples))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch.pictures if self.rest is not None else batch.pictures.float() / 255)
        loss = F.cross_entropy(logits.float(), batch.classes)
        self._count("val", logits, batch.classes, loss)

    def on_validation_epoch_start(self) -> None:
        self.totals = {k: v for k, v in self.totals.items() if not k.startswith("val")}

    @torch.no_grad()
    def _count(self, name: str, logits: Tensor, classes: Tensor, loss: Tensor) -> None:
        """Add a batch to the epoch's sums: loss, images, and the confusion matrix."""
        k = logits.shape[1]
        cells = torch.bincount(classes * k + logits.argmax(1), minlength=k * k).float()
        sums = torch.cat([loss.detach().float()[None] * len(classes), cells])
        before = self.totals.get(name)
        self.totals[name] = sums if before is None else before + sums

    def on_validation_epoch_end(self) -> None:
        """The epoch's figures, over all processes, for the callbacks and TensorBoard."""
        if self.trainer.sanity_checking:
            return
        for name, sums in self.totals.items():
            total = self.trainer.strategy.reduce(sums, reduce_op="sum")
            assert isinstance(total, Tensor)
            side = math.isqrt(len(total) - 1)
            confusion = total[1:].reshape(side, side)
            present = confusion.sum(1) > 0
            recall = confusion.diag()[present] / confusion.sum(1)[present]
            images = confusion.sum()
            self.figures[f"{name}_loss"] = float(total[0] / images)
            self.figures[f"{name}_accuracy"] = float(confusion.diag().sum() / images)
            self.figures[f"{name}_balanced_accuracy"] = float(recall.mean())
        self.log_dict(self.figures, sync_dist=False)
        if self.plateau:
            self.plateau.step(self.figures[self.config.monitor])

    # --- optimizer ------------------------------------------------------------------------------
    def configure_optimizers(self) -> Any:
        config = self.config
        weights = [p for p in self.network.parameters() if p.requires_grad]
        options: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
        if config.optimizer == "sgd":
            options["momentum"] = config.momentum
        optimizer = OPTIMIZERS[config.optimizer](weights, **options)
        if config.schedule == "plateau":
            # Stepped here and not by Lightning, which steps it after the epoch's checkpoint.
            self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer,
                mode="min" if config.monitor == "val_loss" else "max",
                factor=config.plateau_factor,
                patience=config.plateau_patience,
            )
        return optimizer

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What an exact resume needs beyond Lightning's own."""
        checkpoint["plateau"] = self.plateau.state_dict() if self.plateau else None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Kept until the optimizer exists."""
        self.restored = checkpoint["plateau"]

    def on_fit_start(self) -> None:
        """Lightning has made the optimizer and loaded the checkpoint by now."""
        if self.plateau and self.restored:
            self.plateau.load_state_dict(self.restored)


def cosine_rate(config: TrainConfig, epoch: float) -> float:
    """The learning rate at a time in epochs: constant for the head, then warm-up, then cosine."""
    start = config.head_epochs if config.tune == "two-phase" else 0
    if epoch < start:
        return config.learning_rate
    top = config.fine_rate if config.tune == "two-phase" else config.learning_rate
    length = max(config.epochs - start, 1e-9)
    warm = min(config.warmup_epochs, length / 2)
    at = epoch - start
    if at < warm:
        return top * max(at / warm, 0.02)
    return top * max(0.5 * (1 + math.cos(math.pi * (at - warm) / (length - warm))), 0.01)


def frozen_layers(network: Classifier, config: TrainConfig) -> list[nn.Module]:
    """The backbone layers that this run never changes."""
    groups = layer_groups(network.backbone)
    if config.tune == "head":
        kept = groups
    elif config.tune == "last":
        kept = groups[: max(0, len(groups) - config.tune_blocks)]
    elif config.tune == "early":
        kept = groups[config.tune_blocks :]
    else:
        kept = []
    return [module for group in kept for module in group]


def class_weights(classes: np.ndarray) -> Tensor:
    """Weights that make every class count the same, of mean 1 over the images."""
    count = np.bincount(classes)
    return torch.tensor(len(classes) / (len(count) * count), dtype=torch.float32)
