"""A DCGAN's training step: ours against seed A's architecture in Keras on the same machine.

At 64 pixels and a quarter of the width, so that a step takes seconds on one core; the ratio is of
times in this run. Ours twice: in fp32, as Keras computes, and in the number format that `synth
train` takes on this machine. The Keras environment is that of benchmarks/seed_a.py.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.seed_a import ENVIRONMENT, environment
from brainlens.generative.budget import number_format

SCRIPT = Path(__file__).with_name("keras_dcgan.py")
SIZE: Literal[64] = 64
WIDTH, BATCH = 256, 64


def measure(quick: bool) -> list[dict[str, Any]]:
    """Seconds a step of both, in turn."""
    if quick and not ENVIRONMENT.exists():
        return [{"what": "left out: no TensorFlow environment (a full run makes it)"}]
    python = environment()
    steps, width, batch = (1, 32, 8) if quick else (4, WIDTH, BATCH)
    formats = list(dict.fromkeys(["32-true", number_format("auto", "cpu")]))
    theirs: list[float] = []
    ours: dict[str, list[float]] = {number: [] for number in formats}
    for _ in range(1 if quick else 3):
        theirs.append(keras_seconds(python, steps, width, batch))
        for number, own in ours.items():
            own.append(own_seconds(steps, width, batch, half=number == "bf16-mixed"))
    baseline = statistics.median(theirs)
    return [
        {
            "what": f"DCGAN step, {SIZE} px, width {width}, batch {batch}, {number}, against Keras",
            "ours": statistics.median(own),
            "baseline": baseline,
            "unit": "s",
            "ratio": baseline / statistics.median(own),
            "wanted": "ratio >= 1.5",
            "runs": {"ours": own, "baseline": theirs},
        }
        for number, own in ours.items()
    ]


def own_seconds(steps: int, width: int, batch: int, *, half: bool) -> float:
    """Seconds a step of `synth train`'s loop, after a first one; `half`: in bf16."""
    import torch

    from brainlens.core.allocator import keep_freed_memory
    from brainlens.generative.ganconfig import GanConfig
    from brainlens.generative.ganloop import GanLoop
    from brainlens.generative.shown import Shown

    keep_freed_memory()  # as `synth train` does
    config = GanConfig(size=SIZE, width=width, batch_size=batch, images=batch * (steps + 1))
    pictures = np.random.default_rng(0).integers(0, 256, (2 * batch, SIZE, SIZE), dtype=np.uint8)
    classes = np.zeros(len(pictures), np.int64)
    loop = GanLoop(config, pictures, classes, 1)
    optimizers = loop.configure_optimizers()
    stand_ins = {"optimizers": lambda: optimizers, "manual_backward": lambda loss: loss.backward()}
    vars(loop).update(stand_ins)  # what Lightning would give
    shown = Shown(pictures, classes, config, 0, steps + 1)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loop.training_step(shown[0], 0)
        begun = time.perf_counter()
        for number in range(1, steps + 1):
            loop.training_step(shown[number], number)
        return (time.perf_counter() - begun) / steps


def keras_seconds(python: Path, steps: int, width: int, batch: int) -> float:
    """Seconds a step of the Keras script."""
    words = [str(number) for number in (steps, SIZE, width, batch)]
    done = subprocess.run(
        [str(python), str(SCRIPT), *words], check=True, capture_output=True, text=True
    )
    return float(json.loads(done.stdout.splitlines()[-1])["seconds_per_step"])
