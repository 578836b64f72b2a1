"""Does enlarging coarse scans help or hurt the classifier? Accuracy at a quarter of the resolution.

    python -m benchmarks.upscale_verdict RUN INDEX -o verdict.json [--tuned model.safetensors]

Test slices are made coarse as a scanner would have (k-space, 1/4), then go to the classifier as
they are, or enlarged 4 times by each method, through the run's own preprocessing. The sample is
drawn by groups; intervals are percentile bootstraps over groups, differences are paired.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.classify.inference import probabilities
from brainlens.classify.network import Loaded, load
from brainlens.core.files import write_json
from brainlens.core.images import read_grey
from brainlens.core.progress import track
from brainlens.core.provenance import now, provenance
from brainlens.core.seeding import generator
from brainlens.data.index import Index, Row, read_index
from brainlens.generative.generators import Generator, open_generator
from brainlens.generative.scoring import made_small, restored
from brainlens.metrics.resampling import group_draws, interval

Array = np.ndarray[Any, Any]
_RESAMPLES = 2000
AS_IS = "coarse, as it is"


def sample(index: Index, images: int, seed: int) -> list[Row]:
    """Test rows of randomly drawn whole groups, at most 12 of a group, until `images` are there."""
    groups: dict[str, list[Row]] = {}
    for row in index.of("test"):
        groups.setdefault(row.group, []).append(row)
    names = sorted(groups)
    draw = generator(seed, "verdict")
    chosen: list[Row] = []
    for i in draw.permutation(len(names)):
        rows = groups[names[i]]
        kept = draw.permutation(len(rows))[:12]
        chosen += [rows[k] for k in kept]
        if len(chosen) >= images:
            break
    return chosen


def prepared(
    index: Index, rows: list[Row], model: Loaded, generators: dict[str, Generator]
) -> dict[str, Array]:
    """(N, size, size) uint8 for every arm."""
    arms: dict[str, list[Array]] = {}
    for row in track(rows, "enlarging", len(rows)):
        grey = read_grey(index.file(row))
        height, width = (side // 4 * 4 for side in grey.shape)
        sharp = grey[:height, :width]
        coarse = made_small(sharp, 4, "kspace")
        pictures = {"full resolution": sharp, AS_IS: coarse}
        pictures |= {name: restored(coarse, one) for name, one in generators.items()}
        for name, picture in pictures.items():
            arms.setdefault(name, []).append(model.preprocessing.picture(picture))
    return {name: np.stack(pictures) for name, pictures in arms.items()}


def judged(right: dict[str, Array], groups: list[str], seed: int) -> dict[str, dict[str, Any]]:
    """Accuracy of every arm with its interval, and its paired difference from the coarse scan."""
    names = sorted(set(groups))
    member = np.array([[g == name for g in groups] for name in names], float)  # (G, N)
    draws = group_draws(len(names), _RESAMPLES, seed)  # (B, G)
    size = draws @ member.sum(1)
    accuracy = {name: draws @ (member @ one) / size for name, one in right.items()}
    found: dict[str, dict[str, Any]] = {}
    for name, one in right.items():
        found[name] = _figure(one.mean(), accuracy[name])
        if name != AS_IS:
            change = one.mean() - right[AS_IS].mean()
            found[name]["change"] = _figure(change, accuracy[name] - accuracy[AS_IS])
    return found


def _figure(value: float, resampled: Array) -> dict[str, Any]:
    low, high = interval(resampled) or (float("nan"), float("nan"))
    return {"value": 100 * float(value), "low": 100 * low, "high": 100 * high}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("index", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--tuned", type=Path, help="an MRI-tuned generator")
    parser.add_argument("--images", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    started, clock = now(), time.monotonic()
    model = load(asked.run / "model.safetensors")
    index = read_index(asked.index)
    rows = sample(index, asked.images, asked.seed)
    generators = {"bicubic x4": open_generator("bicubic"), "ESRGAN x4": open_generator("esrgan")}
    if asked.tuned:
        generators["MRI-tuned x4"] = open_generator("esrgan", weights=asked.tuned)
    arms = prepared(index, rows, model, generators)
    truth = np.array([model.labels.index(row.label) for row in rows])
    right = {
        name: (probabilities(model, pictures).argmax(1) == truth).astype(float)
        for name, pictures in arms.items()
    }
    groups = [row.group for row in rows]
    result = {
        **provenance("upscale-verdict", asked.seed, started, time.monotonic() - clock),
        "command": "python -m benchmarks.upscale_verdict RUN INDEX",
        "images": len(rows),
        "groups": len(set(groups)),
        "index_digest": index.digest(),
        "generators": {name: one.digest for name, one in generators.items()},
        "arms": judged(right, groups, asked.seed),
    }
    for name, one in result["arms"].items():
        print(f"{name:<18} {one['value']:5.1f} % ({one['low']:.1f} to {one['high']:.1f})")
    write_json(asked.out, result)


if __name__ == "__main__":
    main()
