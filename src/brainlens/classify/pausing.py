"""Owns a block of heads in the middle of its training, on disk: where a killed study goes on.

Enters: tensors and numbers by name. Leaves: one safetensors file a block, named after what trains
and on what, so that other settings or features never go on from it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from brainlens.classify.jobs import Job, Material
from brainlens.core.files import replacing

SECONDS = 10.0  # between two savings


class Pause:
    """The file of one block; final."""

    def __init__(
        self, folder: Path, jobs: Sequence[Job], materials: Mapping[str, Material], classes: int
    ) -> None:
        key = hashlib.sha256(str(classes).encode())
        for job in jobs:
            key.update(json.dumps([dataclasses.asdict(job.config), job.material]).encode())
        for name in sorted({job.material for job in jobs}):
            own = materials[name]
            for array in (own.val, own.classes, own.val_classes, *(v[:8] for v in own.train)):
                key.update(array.tobytes())
        self.path = folder / f"{key.hexdigest()[:32]}.safetensors"
        self.saved = time.monotonic()

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self.saved >= SECONDS

    def save(self, tensors: Mapping[str, Tensor], numbers: Any) -> None:
        """Keep this state instead of the last."""
        from safetensors.torch import save_file

        with replacing(self.path) as temporary:
            own = {name: value.detach().contiguous() for name, value in tensors.items()}
            save_file(own, temporary, {"numbers": json.dumps(numbers)})
        self.saved = time.monotonic()

    def read(self) -> tuple[dict[str, Tensor], Any] | None:
        """The state last kept; None where there is none that can be read."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                return tensors, json.loads((file.metadata() or {})["numbers"])
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
