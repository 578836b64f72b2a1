"""Training speed end to end: reading, augmenting and learning, against the bare network.

The baseline is the same network and optimizer on one batch that stays in memory: what the
arithmetic alone allows. Both in one process, in turn.
"""

from __future__ import annotations

import csv
import dataclasses
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from brainlens.classify.config import TrainConfig
from brainlens.classify.depthwise import fp32_gradients
from brainlens.classify.network import Classifier
from brainlens.classify.optimisation import optimizer_of
from brainlens.classify.plan import plan
from brainlens.classify.training import train
from brainlens.core.allocator import keep_freed_memory
from brainlens.core.processors import choose_precision
from brainlens.data.index import write_index
from brainlens.data.indexing import index_folders
from brainlens.data.split import split_rows, write_record


def measure(quick: bool) -> list[dict[str, Any]]:
    """Images per second of a run's epochs and of the bare network."""
    names = ["mobilenetv2"] if quick else ["efficientnet_lite0", "densenet121"]
    rows = []
    for name in names:
        config = TrainConfig(
            backbone=name,
            weights="none",
            tune="all",
            epochs=2,
            batch_size=8 if quick else 32,
            augment="light",
            size=64 if quick else 224,
        )
        images = 24 if quick else 320 if name == "efficientnet_lite0" else 160
        before = bare(config, 2 if quick else 5)
        ours = end_to_end(config, images)
        after = bare(config, 2 if quick else 5)
        baseline = statistics.mean([before, after])
        rows.append(
            {
                "what": f"{name} {config.size} px training, end to end against resident batch",
                "ours": ours,
                "baseline": baseline,
                "unit": "img/s",
                "ratio": ours / baseline,
                "wanted": "ratio >= 0.85",
            }
        )
    return rows


def write_pictures(folder: Path, images: int, val: int = 16) -> Path:
    """An index of noise pictures of two classes in the size of real scans, `val` to validate."""
    generator = np.random.default_rng(0)
    for label in ("glioma", "none"):
        (folder / label).mkdir(parents=True)
        for i in range((images + val) // 2):
            noise = generator.integers(0, 255, (384, 384), dtype=np.uint8)
            Image.fromarray(noise).save(folder / label / f"{i}.png", compress_level=1)
    found = index_folders([folder], label_map={})
    share = val / (images + val)
    rows, record = split_rows(found.rows, protocol="random", test=0.0, val=share)
    write_record(record, folder / "index.csv")
    return write_index(rows, Path("/"), folder / "index.csv")


def end_to_end(config: TrainConfig, images: int, val: int = 16) -> float:
    """Images per second of the last epoch of a real run: reading, augmenting, logging included."""
    with tempfile.TemporaryDirectory() as folder:
        index = write_pictures(Path(folder) / "pictures", images, val)
        run = Path(folder) / "run"
        train(index, run, config)
        last = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))[-1]
        return float(last["images_per_second"])


def bare(config: TrainConfig, steps: int) -> float:
    """Images per second of forward, backward and step on one resident batch (median)."""
    keep_freed_memory()
    torch.manual_seed(0)
    precision = choose_precision(config.precision, "cpu")
    architecture, _ = plan(dataclasses.replace(config))
    network = Classifier(architecture, 2).train().to(memory_format=torch.channels_last)
    optimizer = optimizer_of(list(network.parameters()), config)
    x = torch.randn(config.batch_size, 3, architecture.size, architecture.size)
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 2, (config.batch_size,))
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        optimizer.zero_grad()
        half = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed")
        with fp32_gradients(network), half:
            loss = torch.nn.functional.cross_entropy(network(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return config.batch_size / statistics.median(seconds[1:])
