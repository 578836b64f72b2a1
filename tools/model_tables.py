"""Makes the tables that hold models beside each other, for tools/results_table.py.

Of docs/results/compared: paired tests, as `brainlens compare --json` prints them. Of
docs/results/poor-scans: evaluations with `--degrade`. Of docs/results/backbones: reproductions of
one recipe on several backbones and seeds, beside size and latency from bench/backbones.json. Of
docs/results/seeds: further seeds of a recipe (`NAME-seed-N`) beside its first, in reproduce.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brainlens.report.compared import HEAD, cells_of

Document = dict[str, Any]
Table = list[list[str]]
ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
BENCH = RESULTS / "bench" / "backbones.json"
# Whose ImageNet weights were not at hand where the results were made.
UNREACHABLE = ("densenet121", "efficientnetv2_b0", "efficientnetv2_s")
VGG16 = "../reproduce/b-vgg16-569"  # the same recipe, in its own table


def compared(held: Mapping[str, Document]) -> Table:
    """Each pair of each comparison: difference, tests and what may be said."""
    rows = [
        [*cells_of(pair), str(one["images"]), f"[{name}.json]({name}.json)"]
        for name, one in held.items()
        for pair in one["pairs"]
    ]
    return [[*HEAD, "images", "JSON"], *rows]


def poor(held: Mapping[str, Document]) -> Table:
    """Accuracy unharmed and at the worst severity of each harm."""
    names = [curve["name"] for curve in next(iter(held.values()))["degraded"]]
    rows = []
    for name, one in held.items():
        curves = {curve["name"]: curve["points"] for curve in one["degraded"]}
        shown = [_percent(curves[harm][-1]["accuracy"]) for harm in names]
        rows.append([
            f"`{name}`", f"{one['images']} / {one['groups']}",
            _percent(one["metrics"]["accuracy"]), *shown, f"[{name}.json]({name}.json)",
        ])  # fmt: skip
    worst = [f"{c['name']} {c['points'][-1]['severity']:g}" for c in
             next(iter(held.values()))["degraded"]]  # fmt: skip
    return [["model", "test images / groups", "unharmed, %", *worst, "JSON"], *rows]


def backbones(held: Mapping[str, Document]) -> Table:
    """Accuracy of one head on each backbone, over its seeds, beside what the backbone costs."""
    by_name: dict[str, dict[str, Document]] = {}
    full = {VGG16: json.loads((BENCH.parent / f"{VGG16}.json").read_text("utf-8"))}
    for name, one in (full | dict(held)).items():
        by_name.setdefault(one["settings"]["backbone"], {})[name] = one
    rows = []
    for backbone, size, ratio in _costs():
        runs = by_name.get(backbone, {})
        seeds = [_accuracies(one) for one in runs.values()]
        links = ", ".join(f"[{Path(name).name}]({name}.json)" for name in runs)
        if not seeds:
            rows.append([f"`{backbone}`", size, ratio, "not measured", *[""] * 4])
            continue
        first = next(iter(runs.values()))["columns"][1]["result"]["metrics"]["accuracy"]
        leaking, clean = zip(*seeds, strict=True)
        rows.append([
            f"`{backbone}`{_trained(runs)}", size, ratio, _mean(leaking), _percent(first),
            _mean(clean), str(len(seeds)), links,
        ])  # fmt: skip
    head = [
        "backbone", "MB, fp32", "one picture, against MobileNetV2",
        "seed's protocol (LEAK), %", "without leakage, first seed, % (95 %)",
        "without leakage, seeds: mean (least to most), %",
        "seeds", "JSON",
    ]  # fmt: skip
    return [head, *rows]


def _trained(runs: Mapping[str, Document]) -> str:
    """How a backbone was used: frozen with ImageNet's weights, or else said so."""
    scratch = any(one["settings"]["weights"] == "none" for one in runs.values())
    return ", WEIGHTS NOT REACHABLE: all of it from scratch" if scratch else ", frozen"


def seeds(held: Mapping[str, Document]) -> Table:
    """A recipe's accuracy over its seeds: the mean, the least and the most of each protocol."""
    by_name: dict[str, list[str]] = {}
    for name in held:
        by_name.setdefault(name.rpartition("-seed-")[0], []).append(name)
    rows = []
    for name, others in by_name.items():
        first, place = f"../reproduce/{name}", RESULTS / "reproduce" / f"{name}.json"
        known = dict(held) | {first: json.loads(place.read_text("utf-8"))}
        whole = [first, *others]
        leaking, clean = zip(*(_accuracies(known[each]) for each in whole), strict=True)
        links = ", ".join(f"[{Path(each).name}]({each}.json)" for each in whole)
        rows.append([f"`{name}`", _mean(leaking), _mean(clean), str(len(whole)), links])
    head = [
        "recipe", "the seed's own protocol (LEAK), %: mean (least to most)",
        "without leakage, %: mean (least to most)", "runs", "JSON",
    ]  # fmt: skip
    return [head, *rows]


def _costs() -> list[tuple[str, str, str]]:
    """Each backbone with its megabytes and its latency ratio, as the benchmark printed them."""
    rows = json.loads(BENCH.read_text("utf-8"))["rows"]
    size = {r["what"].split()[0]: r["ours"] for r in rows if r["unit"] == "MB"}
    ratio = {r["what"].split()[0]: r["ratio"] for r in rows if r["unit"] == "ms"}
    return [(name, f"{size[name]:.1f}", f"{ratio[name]:.1f}") for name in size]


def _accuracies(document: Document) -> tuple[float, float]:
    leaking, clean = (c["result"]["metrics"]["accuracy"]["value"] for c in document["columns"])
    return leaking, clean


def _mean(values: tuple[float, ...]) -> str:
    low, high = f"{100 * min(values):.1f}", f"{100 * max(values):.1f}"
    spread = f" ({low} to {high})" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.1f}{spread}"


def _percent(figure: Mapping[str, float]) -> str:
    low, high = 100 * figure["low"], 100 * figure["high"]
    return f"{100 * figure['value']:.1f} ({low:.1f} to {high:.1f})"
