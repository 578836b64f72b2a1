"""Owns the classifier as a network: backbone, pooling, hidden layers, dropout, logits.

Enters: (N, 3, H, W) normalised pictures. Leaves: (N, K) logits. It also owns its own file: a
checkpoint carries labels, preprocessing and architecture, and does not load without them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from brainlens.classify.backbones import Pool, backbone
from brainlens.classify.committee import Committee, Member
from brainlens.classify.dense import DenseClassifier
from brainlens.core.errors import ConfigError, RunError
from brainlens.core.files import replacing
from brainlens.data.preprocess import Preprocessing, from_dict

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU, "tanh": nn.Tanh}
POOLS: dict[Pool, Callable[[], nn.Module]] = {
    "average": lambda: nn.AdaptiveAvgPool2d(1),
    "max": lambda: nn.AdaptiveMaxPool2d(1),  # one strong spot anywhere counts: small lesions
    "flatten": nn.Identity,
}


@dataclass(frozen=True)
class Architecture:
    """What is needed to build the network again."""

    backbone: str
    size: int  # pixels a side
    pool: Pool
    hidden: tuple[int, ...]
    activation: str
    dropout: float
    head: Literal["pooled", "dense"] = "pooled"
    background: int = -1  # with dense: the class that shows nothing
    partial: str = ""  # a label that stands for several others; a dense head learns from it
    second: tuple[Architecture, ...] = ()  # with dense: of the other networks that are asked


class Classifier(nn.Module):
    """A backbone and its head; final."""

    def __init__(self, architecture: Architecture, classes: int) -> None:
        super().__init__()
        self.backbone = backbone(architecture.backbone).build()
        channels, height, width = _feature_shape(self.backbone, architecture.size)
        flat = architecture.pool == "flatten"
        self.pool = POOLS[architecture.pool]()
        inputs = channels * height * width if flat else channels
        self.head = build_head(inputs, architecture, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.backbone(x))  # (N, K)

    def classify(self, features: Tensor) -> Tensor:
        """Logits (N, K) of a feature map (N, C, h, w)."""
        pooled = self.pool(features).flatten(1)  # (N, C) or (N, C h w)
        logits: Tensor = self.head(pooled)
        return logits


Network = Classifier | DenseClassifier


def build(architecture: Architecture, classes: int) -> Network:
    """The network of an architecture, freshly drawn."""
    if architecture.head == "pooled":
        return Classifier(architecture, classes)
    others = [(build(one, classes), one.size) for one in architecture.second]
    members = [Member(one, size) for one, size in others if not isinstance(one, DenseClassifier)]
    return DenseClassifier(
        architecture.backbone, size=architecture.size, classes=classes,
        background=architecture.background, dropout=architecture.dropout,
        companion=Committee(members) if members else None,
        peers=[one for one, _ in others if isinstance(one, DenseClassifier)],
    )  # fmt: skip


def build_head(inputs: int, architecture: Architecture, classes: int) -> nn.Sequential:
    """Hidden layers, dropout and logits behind `inputs` pooled features, freshly drawn."""
    layers: list[nn.Module] = []
    for units in architecture.hidden:
        layers += [nn.Linear(inputs, units), ACTIVATIONS[architecture.activation]()]
        inputs = units
    return nn.Sequential(*layers, nn.Dropout(architecture.dropout), nn.Linear(inputs, classes))


def _feature_shape(network: nn.Module, size: int) -> tuple[int, int, int]:
    """(C, h, w) of the feature map at `size`, without disturbing batch statistics."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            shape = network(torch.zeros(1, 3, size, size)).shape
    except RuntimeError as error:  # mostly a layer that has too few pixels left to look at
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"size={size} does not suit this backbone ({reason}). Use a larger one; 0: its own"
        ) from None
    network.train(training)
    return int(shape[1]), int(shape[2]), int(shape[3])


def layer_groups(network: nn.Module) -> list[list[nn.Module]]:
    """The backbone's modules that hold weights, input first, in blocks that a human would count.

    timm says which layers belong together; in a plain network each convolution begins a block.
    """
    inner: Any = getattr(network, "network", network)
    owners = {name: module for name, module in inner.named_modules()}
    names = list(dict.fromkeys(n.rpartition(".")[0] for n, _ in inner.named_parameters()))
    if hasattr(inner, "group_matcher"):
        from timm.models._manipulate import group_with_matcher

        layers = group_with_matcher(
            inner.named_parameters(), inner.group_matcher(coarse=False), reverse=True
        )
        order = {name.rpartition(".")[0]: int(layer) for name, layer in layers.items()}
    else:
        begins = accumulate(isinstance(owners[name], nn.Conv2d) for name in names)
        order = dict(zip(names, begins, strict=True))
    blocks: dict[int, list[nn.Module]] = {}
    for name in names:
        blocks.setdefault(order[name], []).append(owners[name])
    return [blocks[key] for key in sorted(blocks)]


def save(
    path: Path,
    network: Network,
    *,
    architecture: Architecture,
    labels: Sequence[str],
    preprocessing: Preprocessing,
    facts: dict[str, Any],
) -> Path:
    """Write the weights (safetensors) with all that is needed to use them."""
    from safetensors.torch import save as to_bytes

    state = {key: value.contiguous().cpu() for key, value in network.state_dict().items()}
    meaning = {
        "labels": list(labels),
        "preprocessing": preprocessing.to_dict(),
        "architecture": asdict(architecture),
        "facts": facts,
    }
    with replacing(path) as temporary:
        temporary.write_bytes(to_bytes(state, {"brainlens": json.dumps(meaning)}))
    return path


@dataclass(frozen=True)
class Loaded:
    """A checkpoint, ready to use."""

    network: Network  # in evaluation mode
    architecture: Architecture
    labels: list[str]
    preprocessing: Preprocessing
    facts: dict[str, Any]

    @property
    def partial(self) -> str:
        """A label of the data that is no class, but means any but the background; or ""."""
        return self.architecture.partial


def architecture_of(shape: dict[str, Any]) -> Architecture:
    """An architecture as its checkpoint tells it."""
    others = tuple(
        map(architecture_of, shape.get("second") or ())
    )  # null before there were several
    return Architecture(**{**shape, "hidden": tuple(shape["hidden"]), "second": others})


def load(path: Path) -> Loaded:
    """Read a checkpoint; raises RunError for one without labels, preprocessing or architecture."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise RunError(f"{path}: no such checkpoint; expected a finished run") from None
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path}: is no readable checkpoint ({error})") from None
    try:
        meaning = json.loads(metadata["brainlens"])
        architecture = architecture_of(meaning["architecture"])
        labels, preprocessing = list(meaning["labels"]), from_dict(meaning["preprocessing"])
        facts = dict(meaning["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path}: carries no labels and preprocessing ({error}), so its answers would mean "
            "nothing. Train it with brainlens train"
        ) from None
    try:
        network = build(architecture, len(labels))
        network.load_state_dict(state)
    except (RuntimeError, KeyError, ConfigError) as error:
        reason = str(error).splitlines()[-1].strip()[:120]  # torch lists every weight
        raise RunError(f"{path}: its weights do not fit its architecture ({reason})") from None
    return Loaded(network.eval(), architecture, labels, preprocessing, facts)
