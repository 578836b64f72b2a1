"""Owns the weights of a style as a file: a generator with what it is, written and read.

Leaves: safetensors (matrices in half precision) whose metadata hold the direction, the shape of the
network, and the data it learnt from. Loading needs no more than the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import nn

from brainlens.core.errors import WeightsError
from brainlens.core.files import replacing
from brainlens.generative.cyclegan import build
from brainlens.generative.styleconfig import StyleConfig, generator_shape, multiple

PAINTING, PHOTO = "to_painting", "to_photo"


def save_generator(
    path: Path, network: nn.Module, config: StyleConfig, *, direction: str, step: int,
    data: dict[str, Any],
) -> None:  # fmt: skip
    """Write a generator after `step` steps."""
    from safetensors.torch import save

    shape = generator_shape(config)
    meaning = {
        "kind": "style",
        "direction": direction,
        "shape": shape,
        "multiple": multiple(shape),
        "crop": config.crop,
        "load": [config.load_least, config.load],
        "grey": config.grey,
        "held_out": config.held_out,
        "steps": step,
        "seed": config.seed,
        "data": data,
    }
    state = {key: value.detach().cpu() for key, value in network.state_dict().items()}
    kept = {k: (v.half() if v.ndim > 1 else v).contiguous() for k, v in state.items()}
    with replacing(path) as temporary:
        temporary.write_bytes(save(kept, {"brainlens": json.dumps(meaning)}))


def weights_of(source: Path, direction: str) -> Path:
    """The file named, or that of a run folder; raises WeightsError."""
    file = source / f"{direction}.safetensors" if source.is_dir() else source
    if not file.is_file():
        raise WeightsError(
            f"{file}: no such generator; expected a run of brainlens style train, or its "
            f"{direction}.safetensors"
        )
    return file


def load_generator(file: Path) -> tuple[nn.Module, dict[str, Any]]:
    """A generator in evaluation mode, and what its file says of it; raises WeightsError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as handle:
            meaning = json.loads((handle.metadata() or {})["brainlens"])
            state = {key: handle.get_tensor(key).float() for key in handle.keys()}  # noqa: SIM118
        if meaning["kind"] != "style":
            raise KeyError("kind")
        network = build(meaning["shape"])
        network.load_state_dict(state)
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError, TypeError):
        raise WeightsError(
            f"{file}: is no generator of brainlens style train; expected its safetensors"
        ) from None
    return network.eval(), meaning


def load_direction(source: Path, direction: str) -> tuple[nn.Module, dict[str, Any]]:
    """The generator of one direction; a file of the other direction is refused."""
    file = weights_of(source, direction)
    network, meaning = load_generator(file)
    if meaning["direction"] != direction:
        raise WeightsError(
            f"{file}: goes the other way ({meaning['direction']}); expected {direction}"
        )
    return network, meaning
