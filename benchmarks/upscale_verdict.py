"""Does enlarging coarse scans help or hurt the classifier? Accuracy at a quarter of the resolution.

    python -m benchmarks.upscale_verdict INDEX RUN... -o verdict.json [--tuned FILE...]

Test slices, none of whose patients a RUN was trained on, are brought to the classifiers' usual 224
pixels, then made coarse as a scanner would (k-space, 1/4: 56 pixels). They go to each classifier as
they are, or enlarged 4 times by each method, through its own preprocessing. The sample has as many
slices of each class, drawn by groups; intervals are percentile bootstraps over groups, differences
are paired: the same slices, the same draws.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.classify.inference import probabilities
from brainlens.classify.network import Loaded, load
from brainlens.core.errors import UserError
from brainlens.core.files import replacing, write_json
from brainlens.core.images import read_grey
from brainlens.core.interpolation import resize
from brainlens.core.progress import track
from brainlens.core.provenance import now, provenance
from brainlens.core.seeding import generator
from brainlens.data.index import Index, Row, read_index
from brainlens.generative.generators import Generator, open_generator
from brainlens.generative.srscore import made_small, restored
from brainlens.metrics.resampling import group_draws, interval
from brainlens.metrics.restoration import psnr_y, ssim_y

Array = np.ndarray[Any, Any]
_RESAMPLES = 2000
_OF_A_GROUP = 12  # slices of one patient's run at most: the others would say the same
SIDE = 224  # pixels of the longer side before a scan is made coarse
SCAN, SHARP, AS_IS = "the scan itself", "at 224 px", "at 56 px, as it is"


def sample(rows: list[Row], labels: tuple[str, ...], images: int, seed: int) -> list[Row]:
    """As many rows of each label, `images` in all, from groups drawn at random, few of a group."""
    chosen: list[Row] = []
    for label in labels:
        groups: dict[str, list[Row]] = {}
        for row in rows:
            if row.label == label:
                groups.setdefault(row.group, []).append(row)
        draw = generator(seed, "verdict", label)
        names = sorted(groups)
        own: list[Row] = []
        for i in draw.permutation(len(names)):
            kept = draw.permutation(len(groups[names[i]]))[:_OF_A_GROUP]
            own += [groups[names[i]][k] for k in kept]
        chosen += own[: images // len(labels)]
    return chosen


def unseen(index: Index, runs: list[Path]) -> list[Row]:
    """Test rows whose group holds no picture that any run was trained or chosen on."""
    known = [row for run in runs for row in read_index(run / "index.csv").rows]
    used = {row.pixel_digest for row in known if row.split in ("train", "val")}
    seen = {row.group for row in index.rows if row.pixel_digest in used}
    rows = [row for row in index.of("test") if row.group not in seen]
    if not rows:
        raise UserError("the runs were trained on every group of the test rows")
    return rows


def ways(grey: Array, generators: dict[str, Generator], cache: Path) -> dict[str, Array]:
    """The pictures that a classifier is shown in the place of one scan."""
    shrink = min(1.0, SIDE / max(grey.shape))
    height, width = (max(64, round(side * shrink / 4) * 4) for side in grey.shape)
    sharp = np.clip(np.rint(resize(grey, height, width)), 0, 255).astype(np.uint8)
    coarse = made_small(sharp, 4, "kspace")
    enlarged = {name: kept(coarse, one, cache) for name, one in generators.items()}
    return {SCAN: grey, SHARP: sharp, AS_IS: coarse} | enlarged


def kept(coarse: Array, by: Generator, cache: Path) -> Array:
    """The enlarged picture, made once: the name says of which pixels, and by which weights."""
    named = repr((by.method, by.digest, coarse.shape)).encode() + coarse.tobytes()
    file = cache / f"{hashlib.sha256(named).hexdigest()}.npy"
    if not file.is_file():
        with replacing(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, restored(coarse, by))
    found: Array = np.load(file)
    return found


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
            found[name]["gained"] = int(np.sum(one > right[AS_IS]))
            found[name]["lost"] = int(np.sum(one < right[AS_IS]))
    return found


def _figure(value: float, resampled: Array) -> dict[str, Any]:
    low, high = interval(resampled) or (float("nan"), float("nan"))
    return {"value": 100 * float(value), "low": 100 * low, "high": 100 * high}


def fidelity(shown: list[dict[str, Array]]) -> dict[str, dict[str, float]]:
    """How near the enlarged pictures come to what was made coarse, in the mean."""
    found = {}
    for name in [one for one in shown[0] if one not in (SCAN, SHARP, AS_IS)]:
        pairs = [(one[SHARP], one[name]) for one in shown]
        figures = [(psnr_y(*pair), ssim_y(*pair)) for pair in pairs]
        found[name] = dict(zip(("psnr_y", "ssim_y"), np.mean(figures, 0).tolist(), strict=True))
    return found


def answered(model: Loaded, shown: list[dict[str, Array]], truth: list[str]) -> dict[str, Array]:
    """For every arm whether each of its pictures is classified rightly, (N,) of 0 and 1."""
    target = np.array([model.labels.index(label) for label in truth])
    found = {}
    for name in shown[0]:
        pictures = np.stack([model.preprocessing.picture(one[name]) for one in shown])
        found[name] = (probabilities(model, pictures).argmax(1) == target).astype(float)
    return found


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.upscale_verdict", description=__doc__)
    parser.add_argument("index", type=Path)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--tuned", type=Path, nargs="*", default=[], help="MRI-tuned generators")
    parser.add_argument("--cache", type=Path, default=Path(".scratch/verdict"), help="what is kept")
    parser.add_argument("--images", type=int, default=280)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Measure, print, write."""
    asked, started, clock = _asked(), now(), time.monotonic()
    index = read_index(asked.index)
    models = {run.name: load(run / "model.safetensors") for run in asked.runs}
    labels = next(iter(models.values())).labels
    rows = sample(unseen(index, asked.runs), tuple(labels), asked.images, asked.seed)
    generators = {"bicubic": open_generator("bicubic"), "ESRGAN": open_generator("esrgan")}
    generators |= {f"MRI-tuned, {f.stem}": open_generator(weights=f) for f in asked.tuned}
    shown = [ways(read_grey(index.file(row)), generators, asked.cache)
             for row in track(rows, "enlarging", len(rows))]  # fmt: skip
    truth, groups = [row.label for row in rows], [row.group for row in rows]
    result = provenance("upscale-verdict", asked.seed, started, time.monotonic() - clock) | {
        "command": " ".join(["python -m benchmarks.upscale_verdict", *sys.argv[1:]]),
        "images": len(rows),
        "groups": len(set(groups)),
        "classes": {label: truth.count(label) for label in labels},
        "index_digest": index.digest(),
        "generators": {name: one.digest for name, one in generators.items()},
        "fidelity": fidelity(shown),
        "runs": {name: judged(answered(model, shown, truth), groups, asked.seed)
                 for name, model in models.items()},
    }  # fmt: skip
    for name, near in result["fidelity"].items():
        print(f"{name:<24} PSNR {near['psnr_y']:.2f} dB, SSIM {near['ssim_y']:.4f}")
    for run, arms in result["runs"].items():
        for name, one in arms.items():
            print(f"{run:<12} {name:<24} {one['value']:5.1f} % "
                  f"({one['low']:.1f} to {one['high']:.1f})")  # fmt: skip
    write_json(asked.out, result)


if __name__ == "__main__":
    main()
