"""Owns the settings of a training run; flat, so that each can be a factor of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from brainlens.core.processors import Precision
from brainlens.data.preprocess import Fit


@dataclass(frozen=True)
class TrainConfig:
    """Everything that changes a run's weights, with a sound default for a CPU."""

    # network
    backbone: str = "efficientnet_lite0"  # a row of classify/backbones.py
    weights: Literal["imagenet", "none"] = "imagenet"  # none: from scratch
    start: str = ""  # a run of the same network and classes whose weights are the beginning
    pool: Literal["auto", "average", "max", "flatten"] = (
        "auto"  # auto: as the backbone's paper or seed
    )
    hidden: tuple[int, ...] | None = None  # units of the head's hidden layers; None: the backbone's
    activation: Literal["relu", "elu", "tanh"] = "relu"  # of the hidden layers
    dropout: float = 0.3  # before the logits
    head: Literal["pooled", "dense"] = "pooled"  # dense: evidence for a tumour, place by place
    background: str = "none"  # with outlines or dense: the class that shows nothing
    outlines: str = ""  # a JSON of where the tumours lie (docs/files.md); "": none
    painted: float = 0.35  # with outlines: share of them that trains with its tumour painted out
    answer_size: int = 0  # with dense: pixels a side that it answers at; 0: as it was trained
    second: tuple[str, ...] = ()  # with dense: other runs, plain (of the whole picture) or dense
    healed: float = 0.1  # with dense: what tumours painted out weigh when the context is believed
    partial: str = ""  # a label that means any of several, as `tumour`; learned with outlines
    # pictures
    size: int = 0  # pixels a side; 0: the backbone's own
    fit: Fit = "stretch"  # distort to the square, or pad with black
    crop: bool = False  # cut the dark border off first
    # Of training pictures only.
    augment: Literal["none", "flips", "light", "strong", "contrasts", "hard", "hard-contrasts"] = (
        "light"
    )
    views: int = 0  # augmented views a picture, the same in every run; 0: a new one each epoch
    # what is trained
    tune: Literal["all", "head", "last", "early", "two-phase"] = "two-phase"
    tune_blocks: int = 2  # with last / early: how many blocks of the backbone train
    head_epochs: int = 1  # with two-phase: epochs of the head alone
    # optimisation
    epochs: int = 10
    batch_size: int = 32  # a process
    optimizer: Literal["adam", "adamw", "sgd", "adagrad", "adadelta"] = "adamw"
    learning_rate: float = 1e-3
    fine_learning_rate: float = 0.0  # with two-phase: of the second phase; 0: a tenth
    weight_decay: float = 0.01
    momentum: float = 0.9  # sgd
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"
    warmup_epochs: float = 0.5  # cosine
    plateau_factor: float = 0.3
    plateau_patience: int = 1  # epochs without a better `monitor` before the rate falls
    label_smoothing: float = 0.0
    balance: Literal["none", "weights", "sampling"] = "weights"  # of the classes
    average: float = 0.0  # decay a step of a moving average of the weights, which is kept; 0: none
    # choice and stop
    monitor: Literal["val_accuracy", "val_balanced_accuracy", "val_loss"] = "val_balanced_accuracy"
    patience: int = 0  # epochs without a better `monitor` before stopping; 0: never
    # machine
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "auto"  # bf16 where the hardware has it

    @property
    def fine_rate(self) -> float:
        """The learning rate of the second phase."""
        return self.fine_learning_rate or self.learning_rate / 10
