"""Owns a generator's run folder: what is in it, and the generator out of it.

    RUN/ config.toml  generator.safetensors  metrics.csv  samples/  tensorboard/  provenance.json

The weights carry their classes and settings in their metadata and do not load without them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from brainlens.core.errors import ConfigError, RunError, nearest
from brainlens.core.files import replacing
from brainlens.generative.families import FAMILIES, Family
from brainlens.generative.synthconfig import Settings, settings

FILE = "generator.safetensors"
KIND = "generator"


@dataclass(frozen=True)
class Source:
    """A trained generator and what it learned from."""

    network: nn.Module
    family: Family
    labels: tuple[str, ...]
    facts: dict[str, Any]  # recipe, index digest, steps, images shown
    digest: str  # SHA-256 of the file

    @property
    def origin(self) -> str:
        """What its pictures' `origin` is called."""
        return str(self.facts["recipe"])

    def pictures(self, seeds: Sequence[int], label: str) -> Tensor:
        """(N, size, size) uint8; the picture of a seed is the same whatever the others are."""
        if label not in self.labels:
            raise ConfigError(f"--class {label}: {nearest(label, self.labels)}")
        return self.family.draw(self.network, seeds, [self.labels.index(label)] * len(seeds))


def save_generator(
    path: Path, network: nn.Module, config: Settings, labels: Sequence[str], facts: dict[str, Any]
) -> Path:
    """Write the weights with what they are."""
    from safetensors.torch import save

    meaning = {"kind": KIND, "labels": list(labels), "config": asdict(config), "facts": facts,
               "use": "synthetic training pictures, not for diagnosis"}  # fmt: skip
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    with replacing(path) as temporary:
        temporary.write_bytes(save(state, {"brainlens": json.dumps(meaning)}))
    return path


def open_generator(run: Path, *, device: str = "cpu") -> Source:
    """The generator of a run folder, or of its file; raises RunError where there is none."""
    import hashlib

    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load

    file = run / FILE if run.is_dir() else run
    if not file.is_file():
        if (run / "config.toml").is_file():
            raise RunError(
                f"{run}: has not reached its first look, so there is no generator to draw with. "
                "Go on with synth train ... --resume, or look more often: --set every=50"
            )
        raise RunError(
            f"{run}: is no generator's run. Make one: brainlens synth train INDEX -o RUN"
        )
    try:
        with safe_open(file, "pt") as opened:
            meaning = json.loads((opened.metadata() or {})["brainlens"])
        if meaning["kind"] != KIND:
            raise KeyError("kind")
        config = settings(meaning["config"])
        family = FAMILIES[config.network]
        network = family.network(config, len(meaning["labels"]))
        data = file.read_bytes()
        network.load_state_dict(load(data))
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError, ConfigError) as error:
        raise RunError(
            f"{file}: is no generator of brainlens ({type(error).__name__}). Train one: "
            "brainlens synth train"
        ) from None
    network.to(device).eval()
    digest = hashlib.sha256(data).hexdigest()
    return Source(network, family, tuple(meaning["labels"]), meaning["facts"], digest)
