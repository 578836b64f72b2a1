"""Are twins found, are strangers left alone, and how fast: the figures behind `brainlens audit`.

    python -m benchmarks audit-recall
    python -m benchmarks.audit_recall [--planted 300] [-o audit_recall.json]    everything as JSON

Needs the shared scans ($BRAINLENS_SHARED). It plants transforms in a sample of them and looks for
the originals among all; compares the pairs with `near_dup_group` of the manifest; and times
decoding against decoding with the search. Times are of the process (CPU seconds), so that a busy
machine does not distort them. Speed of the whole audit: audit_speed, of many images: audit_scale.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from brainlens.core.files import write_json
from brainlens.core.images import read_grey
from brainlens.core.places import shared_folder
from brainlens.core.seeding import generator
from brainlens.data.compact import from_compact, to_compact
from brainlens.data.descriptor import FRAME, Array, Descriptors, describe, frame_of
from brainlens.data.twins import find_twins

Transform = Callable[[Array, np.random.Generator], Array]


def crop(grey: Array, left: float, top: float, right: float, bottom: float) -> Array:
    """Cut shares of the width and height off the four sides."""
    h, w = grey.shape
    return grey[round(top * h) : h - round(bottom * h), round(left * w) : w - round(right * w)]


def corner(grey: Array, rng: np.random.Generator) -> Array:
    """A random corner's 95 %."""
    sides = ((1, 1, 0, 0), (0, 1, 1, 0), (1, 0, 0, 1), (0, 0, 1, 1))[rng.integers(4)]
    return crop(grey, *(0.05 * side for side in sides))


def scale(grey: Array, across: float, down: float) -> Array:
    h, w = grey.shape
    size = max(1, round(w * across)), max(1, round(h * down))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC))


def jpeg(grey: Array, quality: int) -> Array:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(grey)).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def clipped(values: Array) -> Array:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def gamma(grey: Array, power: float) -> Array:
    return clipped(255 * (grey / 255.0) ** power)


def combined(grey: Array) -> Array:
    """What a re-upload does: mirrored, scaled, cropped, compressed, recoloured."""
    return gamma(jpeg(crop(scale(grey[:, ::-1], 0.8, 0.8), 0.03, 0.03, 0.03, 0.03), 70), 0.85)


TRANSFORMS: dict[str, Transform] = {
    "flip left-right": lambda grey, rng: grey[:, ::-1],
    "flip top-bottom": lambda grey, rng: grey[::-1],
    "rotate 90": lambda grey, rng: np.rot90(grey),
    "rotate 180": lambda grey, rng: np.rot90(grey, 2),
    "transpose": lambda grey, rng: grey.T,
    "crop 5 % off every side": lambda grey, rng: crop(grey, 0.05, 0.05, 0.05, 0.05),
    "crop 5 % at a corner": corner,
    "black border 10 %": lambda grey, rng: np.pad(
        grey, [(grey.shape[0] // 10,) * 2, (grey.shape[1] // 10,) * 2]
    ),
    "resize 60 %": lambda grey, rng: scale(grey, 0.6, 0.6),
    "resize 140 %": lambda grey, rng: scale(grey, 1.4, 1.4),
    "stretch 80 x 120 %": lambda grey, rng: scale(grey, 0.8, 1.2),
    "JPEG 40": lambda grey, rng: jpeg(grey, 40),
    "JPEG 95": lambda grey, rng: jpeg(grey, 95),
    "gamma 0.7": lambda grey, rng: gamma(grey, 0.7),
    "gamma 1.4": lambda grey, rng: gamma(grey, 1.4),
    "noise, sigma 5": lambda grey, rng: clipped(grey + rng.normal(0, 5, grey.shape)),
    "noise, sigma 10": lambda grey, rng: clipped(grey + rng.normal(0, 10, grey.shape)),
    "brighter, 1.25 x + 10": lambda grey, rng: clipped(grey * 1.25 + 10),
    "darker, 0.7 x": lambda grey, rng: clipped(grey * 0.7),
    "all at once": lambda grey, rng: combined(grey),
}


def planted(paths: list[Path], whole: Descriptors, count: int, seed: int) -> dict[str, Any]:
    """Share of `count` transformed images whose original is found: exactly, and compactly."""
    picked = np.sort(generator(seed, "planted").choice(len(paths), count, replace=False))
    originals = whole.take(picked)
    compact = from_compact(**to_compact(originals))
    greys = [read_grey(paths[i]) for i in picked]
    table: dict[str, Any] = {}
    for name, transform in TRANSFORMS.items():
        rng = generator(seed, name)
        changed = describe([frame_of(np.ascontiguousarray(transform(g, rng))) for g in greys])
        exact = {twin.j for twin in find_twins(originals, changed) if twin.i == twin.j}
        hashed = {twin.j for twin in find_twins(changed, compact) if twin.i == twin.j}
        table[name] = {"recall": len(exact) / count, "compact recall": len(hashed) / count}
    return table


def against_manifest(rows: list[dict[str, str]], whole: Descriptors) -> dict[str, Any]:
    """The pairs found, held against the manifest's groups and Cheng's slice numbers."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        groups[row["near_dup_group"]].append(i)
    wanted = {(i, j) for g in groups.values() for n, i in enumerate(g) for j in g[n + 1 :]}
    slices = [int(row["figshare_id"]) for row in rows]
    compact = from_compact(**to_compact(whole))
    found = {
        "exact": {(twin.i, twin.j) for twin in find_twins(whole)},
        "compact": {(t.i, t.j) for t in find_twins(whole, compact) if t.i < t.j},
    }
    figures: dict[str, Any] = {"pairs in manifest": len(wanted)}
    for name, pairs in found.items():
        distinct = [(i, j) for i, j in pairs if slices[i] and slices[j] and slices[i] != slices[j]]
        figures[name] = {
            "pairs": len(pairs),
            "recall": len(pairs & wanted) / len(wanted),
            "not in manifest": len(pairs - wanted),
            "distinct Cheng slices paired": len(distinct),
        }
    figures["compact"]["not found exactly"] = len(found["compact"] - found["exact"] - wanted)
    return figures


def timed(paths: list[Path]) -> tuple[dict[str, float], Descriptors]:
    """CPU seconds of decoding alone, and of what the audit adds."""
    spent = dict.fromkeys(("decode", "frame", "describe", "match"), 0.0)
    frames = np.empty((len(paths), FRAME, FRAME), np.uint8)
    clock = time.process_time
    for i, path in enumerate(paths):
        start = clock()
        grey = read_grey(path)
        middle = clock()
        frames[i] = frame_of(grey)
        spent["decode"] += middle - start
        spent["frame"] += clock() - middle
    start = clock()
    whole = describe(frames)
    spent["describe"] = clock() - start
    start = clock()
    find_twins(whole)
    spent["match"] = clock() - start
    spent["ratio"] = sum(spent.values()) / spent["decode"]
    return {name: round(value, 3) for name, value in spent.items()}, whole


def figures(count: int, seed: int, *, every: int = 1) -> dict[str, Any]:
    """Everything measured on every n-th scan, `count` of them transformed."""
    shared = shared_folder()
    assert shared is not None
    root = shared / "data" / "mri"
    with (root / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))[::every]
    paths = [root / row["file"] for row in rows]
    seconds, whole = timed(paths)
    return {
        "seed": seed,
        "images": len(rows),
        "seconds": seconds,
        "manifest": against_manifest(rows, whole),
        "planted": planted(paths, whole, min(count, len(paths)), seed),
    }


def measure(quick: bool) -> list[dict[str, Any]]:
    """Recall by transform, of the exact search; the compact one's beside it."""
    if shared_folder() is None:
        return [{"what": "left out: no shared scans (BRAINLENS_SHARED)"}]
    found = figures(20, 0, every=60) if quick else figures(300, 0)
    held = found["manifest"]
    rows: list[dict[str, Any]] = [
        {
            "what": f"manifest pairs found, of {held['pairs in manifest']}, {name}",
            "ours": held[name]["recall"], "unit": "recall", "wanted": ">= 0.99", **held[name],
        }
        for name in ("exact", "compact")
    ]  # fmt: skip
    rows.append(
        {
            "what": "pairs of distinct Cheng slices called twins",
            "unit": "pairs",
            "ours": float(held["exact"]["distinct Cheng slices paired"]),
            "wanted": "0",
        }
    )
    for name, own in found["planted"].items():
        wanted = {"unit": "recall", "wanted": ">= 0.97", "compact recall": own["compact recall"]}
        rows.append({"what": f"planted: {name}", "ours": own["recall"], **wanted})
    seconds = found["seconds"]
    rows.append(
        {
            "what": "search for twins with decoding, against decoding",
            "unit": "s",
            "ours": sum(seconds[k] for k in ("decode", "frame", "describe", "match")),
            "baseline": seconds["decode"],
            "ratio": seconds["ratio"],
        }
    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--planted", type=int, default=300, help="images to transform")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="take every n-th scan")
    parser.add_argument("-o", type=Path, dest="output", help="write the figures as JSON")
    given = parser.parse_args()
    if shared_folder() is None:
        raise SystemExit("needs the shared scans: set BRAINLENS_SHARED")
    found = figures(given.planted, given.seed, every=given.every)
    print(json.dumps(found, indent=1))
    if given.output:
        write_json(given.output, found)


if __name__ == "__main__":
    main()
