"""Owns what a config asks for: the network, the preprocessing, and the weights to begin with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from brainlens.classify.backbones import backbone, load_pretrained
from brainlens.classify.config import TrainConfig
from brainlens.classify.network import Architecture, Network, load
from brainlens.core.errors import ConfigError, RunError, nearest
from brainlens.data.preprocess import Preprocessing


def plan(config: TrainConfig, labels: Sequence[str] = ()) -> tuple[Architecture, Preprocessing]:
    """The network and preprocessing that a config asks for, its backbone's habits filled in."""
    if outlined(config) and config.background not in labels:
        raise ConfigError(f"background {config.background!r}: {nearest(config.background, labels)}")
    row = backbone(config.backbone)
    size = config.size or row.size
    architecture = Architecture(
        backbone=config.backbone,
        size=size,
        pool=row.pool if config.pool == "auto" else config.pool,
        hidden=row.hidden if config.hidden is None else config.hidden,
        activation=config.activation,
        dropout=config.dropout,
        head=config.head,
        background=labels.index(config.background) if dense(config) else -1,
        partial=config.partial,
    )
    mean, std = row.normalise
    return architecture, Preprocessing(size, config.fit, config.crop, mean, std)


def dense(config: TrainConfig) -> bool:
    """Whether evidence is sought place by place."""
    return config.head == "dense"


def outlined(config: TrainConfig) -> bool:
    """Whether a part of the tumours trains painted out, and a partial label is learned from."""
    return dense(config) or bool(config.outlines)


def pretrained(config: TrainConfig) -> bool:
    """Whether ImageNet weights are wanted; the plain CNNs have none to want."""
    return config.weights == "imagenet" and bool(backbone(config.backbone).weights)


def first_weights(config: TrainConfig, network: Network, labels: Sequence[str]) -> str:
    """Load what a run begins with; answers where it came from. Raises RunError for a misfit."""
    if not config.start:
        return load_pretrained(config.backbone, network.backbone) if pretrained(config) else "none"
    begun = load(Path(config.start) / "model.safetensors")
    try:
        if begun.labels != list(labels):
            raise RuntimeError(f"it knows {', '.join(begun.labels)}")
        network.load_state_dict(begun.network.state_dict())
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise RunError(
            f"{config.start}: cannot be the start of this run ({reason}). Give a run of the same "
            "backbone, head and classes, or leave start out"
        ) from None
    return f"the run {Path(config.start).name}"
