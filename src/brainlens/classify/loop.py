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
from torch import Tensor

from brainlens.classify.augment import POLICIES, augment, sample_seeds
from brainlens.classify.batches import Batch, EpochOrder, Pictures, epoch_order, loader
from brainlens.classify.boundary import steps
from brainlens.classify.config import TrainConfig
from brainlens.classify.dense import DenseClassifier, dense_loss
from brainlens.classify.depthwise import fp32_gradients
from brainlens.classify.features import Features
from brainlens.classify.losses import partial_loss
from brainlens.classify.network import Classifier, Network
from brainlens.classify.optimisation import (
    class_weights,
    cosine_rate,
    frozen_layers,
    moving_average,
    optimizer_of,
)
from brainlens.classify.outlined import Checked, Outlined
from brainlens.classify.stages import advance
from brainlens.core.seeding import seed_everything
from brainlens.data.preprocess import Preprocessing

Data = Pictures | Features | Outlined | Checked


class Loop(pl.LightningModule):
    """One training run of a classifier; final."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: Network,
        config: TrainConfig,
        preprocessing: Preprocessing,
        data: Mapping[str, Data],  # "train" and "val"
        *,
        cut: int = 0,  # how many of the network's steps the data have behind them
    ) -> None:
        super().__init__()
        self.network, self.config, self.data = network, config, data
        self.averaged = moving_average(network, config.average) if config.average else None
        self.cut = cut
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
        if isinstance(data, Outlined):
            data.epoch = self.current_epoch
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
        network = self.network if self.training else self.kept
        if self.cut:
            assert isinstance(network, Classifier)
            if pictures.ndim == 4:
                pictures = pictures.contiguous(memory_format=torch.channels_last)
            logits: Tensor = network.head(advance(steps(network)[self.cut :], pictures))
            return logits
        x = self._normalised(pictures)
        if self.head_only and self.training and isinstance(network, Classifier):
            with torch.no_grad():
                features = network.backbone(x)
            return network.classify(features)
        logits = network(x)
        return logits

    @property
    def kept(self) -> Network:
        """The network that is judged and kept: the average of the weights, where there is one."""
        if self.averaged is None:
            return self.network
        average = self.averaged.module
        assert isinstance(average, Classifier | DenseClassifier)
        return average

    def _normalised(self, pictures: Tensor) -> Tensor:
        return ((pictures - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        with fp32_gradients(self.network):
            return self._step(batch, batch_idx)

    def _step(self, batch: Batch, batch_idx: int) -> Tensor:
        config = self.config
        weight = None if self.balance is None else self.balance.to(self.device)
        if isinstance(self.network, DenseClassifier):
            return self._dense_step(batch, batch_idx, weight)
        logits = self(batch.pictures if self.cut else self._seen(batch, batch_idx)[:, :1])
        data = self.data["train"]
        background = data.background if isinstance(data, Outlined) else -1
        loss = partial_loss(
            logits.float(), batch.classes, background=background, weight=weight,
            label_smoothing=config.label_smoothing,
        )  # fmt: skip
        known = batch.classes >= 0
        self._count("train", logits[known], batch.classes[known], loss)
        return loss

    def _dense_step(self, batch: Batch, batch_idx: int, weight: Tensor | None) -> Tensor:
        """A step of a dense head: outlines move with their pictures."""
        network, config = self.network, self.config
        assert isinstance(network, DenseClassifier)
        assert batch.outlined is not None
        seen = self._seen(batch, batch_idx)
        found = network.evidence(self._normalised(seen[:, :1]))
        loss = dense_loss(
            found, batch.classes, seen[:, 1], batch.outlined, background=network.background,
            weight=weight, label_smoothing=config.label_smoothing,
        )  # fmt: skip
        known = batch.classes >= 0
        self._count("train", network.answer(found)[known], batch.classes[known], loss)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """The average follows the weights."""
        if self.averaged:
            self.averaged.update_parameters(self.network)

    def _seen(self, batch: Batch, batch_idx: int) -> Tensor:
        """The batch's pictures as this epoch shows them."""
        config, epoch = self.config, self.current_epoch
        if config.views:  # the views that features.py keeps
            seeds = sample_seeds(0, epoch % config.views, batch.samples)
        else:
            seeds = sample_seeds(config.seed, epoch, batch.samples, self._turns(batch, batch_idx))
        whole = None if batch.outlined is None else ~batch.outlined
        return augment(batch.pictures.float() / 255, seeds, POLICIES[config.augment], whole)

    def _turns(self, batch: Batch, batch_idx: int) -> range | None:
        """Places in the epoch: a picture drawn twice (balanced sampling) must look new."""
        if self.config.balance != "sampling":
            return None
        first = (batch_idx * self.trainer.world_size + self.global_rank) * self.config.batch_size
        return range(first, first + len(batch.samples))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch.pictures if self.cut else batch.pictures.float() / 255)
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
        optimizer = optimizer_of(weights, config)
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
