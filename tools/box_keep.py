"""Keeps what a run learned, at half its size: `python -m tools.box_keep RUN OUT`.

OUT holds RUN's settings, its record, and its weights with matrices in 16 bits. With the index that
it learned from made anew in it (`brainlens split ... -o OUT/index.csv`) it is a run again for every
tool and command.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

from brainlens.core.files import write_atomic


def main() -> None:
    """Halve and copy."""
    keep(*map(Path, sys.argv[1:]))


def keep(run: Path, out: Path) -> None:
    """Write OUT, which must be new."""
    with safe_open(run / "model.safetensors", framework="pt") as file:
        meaning = file.metadata()
        state = {name: _halved(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    out.mkdir(parents=True)
    write_atomic(out / "model.safetensors", save(state, meaning))
    for name in ("config.toml", "metrics.csv", "provenance.json"):
        if (run / name).exists():
            shutil.copyfile(run / name, out / name)


def _halved(weight: torch.Tensor) -> torch.Tensor:
    """Matrices and kernels in 16 bits; vectors, such as a layer's variances, as they are."""
    return weight.half() if weight.ndim > 1 else weight


if __name__ == "__main__":
    main()
