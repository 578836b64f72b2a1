"""Seed A's training as published (Keras on TensorFlow, DenseNet121, batch 8, fp32) against ours.

Both train, validate, log to TensorBoard and keep the best weights in the epoch that is timed.
TensorFlow lives in a virtual environment of its own, made on the first run under .venv/keras.
(This file is not called keras: it would hide the package from the script beside it.)
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.training import end_to_end
from brainlens.classify.config import TrainConfig

ENVIRONMENT = Path(__file__).resolve().parents[1] / ".venv" / "keras"
READY = ENVIRONMENT / "with-tensorboard"  # the file that says all of it was installed
SCRIPT = Path(__file__).with_name("keras_densenet121.py")


def measure(quick: bool) -> list[dict[str, Any]]:
    """Images per second of both."""
    if quick and not ENVIRONMENT.exists():
        return [{"what": "left out: no TensorFlow environment (a full run makes it)"}]
    python = environment()
    steps = 2 if quick else 10
    val = 8  # a tenth of the training pictures, as the document's validation_split
    config = TrainConfig(
        backbone="densenet121",
        weights="none",
        tune="all",
        epochs=2,
        batch_size=8,
        optimizer="adam",
        augment="none",
        schedule="plateau",
    )
    baseline, own = keras_speed(python, steps, val), end_to_end(config, 8 * steps, val)
    return [
        {
            "what": "DenseNet121 224 px training, batch 8, against seed A's Keras script",
            "ours": own,
            "baseline": baseline,
            "unit": "img/s",
            "ratio": own / baseline,
            "wanted": "ratio >= 3",
        }
    ]


def environment() -> Path:
    """The Python of the TensorFlow environment, made if it is missing."""
    python = ENVIRONMENT / "bin" / "python"
    if not READY.exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "tensorflow-cpu==2.21.0",
                        "tensorboard"],
                       check=True)  # fmt: skip
        READY.touch()
    return python


def keras_speed(python: Path, steps: int, val: int) -> float:
    """Training images per second of the second epoch of seed A's script."""
    done = subprocess.run(
        [str(python), str(SCRIPT), str(steps), str(val)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(json.loads(done.stdout.splitlines()[-1])["images_per_second"])
