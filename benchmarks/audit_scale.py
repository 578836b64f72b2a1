"""How the search for twins grows: N synthetic descriptors against themselves, time and memory.

Each N is a process of its own, so that its peak of memory is its own: pictures, descriptors and
search. Timed is the search, in seconds of processor (of all its cores together), which a busy
machine does not distort; those of the clock are kept beside. A full run draws
docs/results/bench/audit-scale.svg.

    python -m benchmarks audit-scale
    python -m benchmarks.audit_scale 2000      one N, its figures as JSON
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from brainlens.core.seeding import generator
from brainlens.data.descriptor import FRAME, Array, Descriptors, describe
from brainlens.data.twins import find_twins

FULL = (1000, 3000, 10_000, 30_000, 100_000)
QUICK = (200, 400)
TWINS = 100  # one picture in so many is another one transposed
FIGURE = Path(__file__).resolve().parents[1] / "docs" / "results" / "bench" / "audit-scale.svg"


def measure(quick: bool) -> list[dict[str, Any]]:
    """Seconds of each N; the ratio is to what the first N would need if all pairs cost alike."""
    found = [_apart(n) for n in (QUICK if quick else FULL)]
    if not quick:
        _draw(found, FIGURE)
    first = found[0]
    rows = []
    for one in found:
        quadratic = first["seconds"] * (one["images"] / first["images"]) ** 2
        rows.append(
            {
                "what": f"{one['images']:,} descriptors against themselves",
                "ours": one["seconds"],
                "baseline": quadratic,
                "unit": "s",
                "ratio": one["seconds"] / quadratic,
                **one,
            }
        )
    rows[-1]["wanted"] = "< 1,200 s of processor (600 s on 2 cores), < 4 GB"
    return rows


def synthetic(count: int, seed: int) -> Descriptors:
    """Descriptors of random heads; each hundredth picture is the one before it transposed."""
    rng = generator(seed, "synthetic", count)
    y, x = np.mgrid[-1:1:128j, -1:1:128j].astype(np.float32)
    frames = np.empty((count, FRAME, FRAME), np.uint8)
    for i in range(count):
        frames[i] = _head(rng, x, y) if i % TWINS or not i else frames[i - 1].T
    return describe(frames)


def _head(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """A textured ellipse on black, (FRAME, FRAME) uint8."""
    rough = Image.fromarray(rng.normal(0, 1, (12, 12)).astype(np.float32))
    texture = np.asarray(rough.resize((FRAME, FRAME), Image.Resampling.BICUBIC))
    wide, high = rng.uniform(0.6, 0.95, 2).astype(np.float32)
    head = (x / wide) ** 2 + (y / high) ** 2 < 1
    return np.asarray(np.clip(head * (110 + 40 * texture), 0, 255).astype(np.uint8))


def alone(count: int, seed: int = 0) -> dict[str, Any]:
    """The figures of one N, in this process."""
    start = time.perf_counter()
    whole = synthetic(count, seed)
    made = time.perf_counter() - start
    start, before = time.perf_counter(), time.process_time()
    found = find_twins(whole)
    return {
        "images": count,
        "twins planted": (count - 1) // TWINS,
        "twins found": len(found),
        "seconds": time.process_time() - before,
        "by the clock": time.perf_counter() - start,
        "seconds making pictures": made,
        "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def _apart(count: int) -> dict[str, Any]:
    """`alone`, in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.audit_scale", str(count)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _draw(found: Sequence[dict[str, Any]], path: Path) -> None:
    """Seconds and memory over N, on logarithmic axes."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    n = [one["images"] for one in found]
    seconds = [one["seconds"] for one in found]
    with rc_context({"svg.hashsalt": "brainlens", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        time_axes, memory_axes = figure.subplots(1, 2)
        time_axes.loglog(n, seconds, "o-", label="measured")
        square = [seconds[-1] * (k / n[-1]) ** 2 for k in n]
        time_axes.loglog(n, square, "--", label="if it grew with N x N")
        time_axes.set(xlabel="images", ylabel="seconds of processor", title="search, all cores")
        time_axes.legend()
        memory_axes.loglog(n, [one["peak GB"] for one in found], "o-")
        memory_axes.set(xlabel="images", ylabel="GB", title="peak memory, pictures included")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    print(json.dumps(alone(int(sys.argv[1]))))
