"""Writes the tables of results into the documents from the JSON beside them.

    python -m tools.results_table

Each table stands between `<!-- table: FOLDER -->` and `<!-- end -->` of a page under docs/ or of
the README, and is made of the JSON files in docs/results/FOLDER: evaluations (as `brainlens
evaluate` writes metrics.json), reproductions (reproduce.json), or what tools/model_tables.py and
tools/bench_table.py read. `<!-- speed: NAME -->` is made of docs/results/bench/NAME.json. A test
makes the tables again and compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tools import bench_table
from tools.model_tables import UNREACHABLE, backbones, compared, poor, seeds
from tools.study_table import markdown

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
_STUDY = re.compile(r"<!-- study: ([\w-]+) -->\n.*?<!-- end -->", re.S)
_SPEED = re.compile(r"<!-- speed: ([\w-]+) -->\n.*?<!-- end -->", re.S)
_TABLE = re.compile(r"<!-- table: ([\w-]+) -->\n.*?<!-- end -->", re.S)


def percent(figure: dict[str, float] | None) -> str:
    """A figure with its interval, in percent."""
    if not figure:
        return "-"
    low, high = figure["low"], figure["high"]
    return f"{100 * figure['value']:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def row(name: str, result: dict[str, Any]) -> list[str]:
    """One evaluation as cells."""
    leakage, metrics = result["leakage"], result["metrics"]
    seen = leakage["copies"] + leakage.get("twins", 0) + leakage["same_group"]
    clean = leakage["clean"]
    return [
        f"`{result['protocol']['protocol']}`",
        f"{result['images']} / {result['groups']}",
        percent(metrics["accuracy"]),
        percent(metrics["balanced_accuracy"]),
        f"{metrics['macro_auroc']['value']:.3f}",
        f"{metrics['ece']['value']:.3f}",
        f"{seen} ({100 * seen / result['images']:.0f} %)",
        percent(clean["accuracy"]) + f", n = {clean['images']}" if clean else "none is clean",
        f"[{name}.json]({name}.json)",
    ]


EVALUATIONS = [
    "split", "test images / groups", "accuracy % (95 %)", "balanced accuracy %",
    "macro AUROC", "ECE", "seen in training", "accuracy % on the unseen part", "JSON",
]  # fmt: skip
REPRODUCTIONS = [
    "recipe", "published, %", "the seed's own protocol, % (95 %)", "seen in training",
    "without leakage, % (95 %)", "test images / groups", "not as in the recipe", "JSON",
]  # fmt: skip
BETWEEN = [
    "model", "trained on, judged on", "which images", "test images / groups",
    "accuracy % (95 %)", "balanced accuracy %", "seen in training", "JSON",
]  # fmt: skip


def seen(column: dict[str, Any]) -> str:
    """How many test images of a column the model had seen."""
    leakage, images = column["result"]["leakage"], column["result"]["images"]
    count = leakage["copies"] + leakage.get("twins", 0) + leakage["same_group"]
    return f"{count} of {images} ({100 * count / images:.0f} %)"


def reproduction(name: str, document: dict[str, Any]) -> list[list[str]]:
    """A reproduction as one row, or as one a column where it is between sets."""
    columns, link = document["columns"], f"[{name}.json]({name}.json)"
    backbone = document["settings"]["backbone"]
    results = [column["result"] for column in columns]
    accuracy = [percent(result["metrics"]["accuracy"]) for result in results]
    tested = [f"{result['images']} / {result['groups']}" for result in results]
    if document["published"]:
        changed = ", ".join(f"`{key} = {value}`" for key, value in document["changed"].items())
        if document["changed"].get("weights") == "none" and backbone in UNREACHABLE:
            changed = f"WEIGHTS NOT REACHABLE, from scratch: {changed}"
        told = document["published"]["accuracy"]
        return [[
            f"`{document['recipe']}`", f"{100 * told:.1f}" if told else "none", accuracy[0],
            f"**LEAK** {seen(columns[0])}", accuracy[1], "; ".join(tested), changed or "nothing",
            link,
        ]]  # fmt: skip
    return [
        [
            f"`{document['recipe']}`", *column["title"].split(": "), size, figure,
            percent(column["result"]["metrics"]["balanced_accuracy"]), seen(column), link,
        ]
        for column, size, figure in zip(columns, tested, accuracy, strict=True)
    ]  # fmt: skip


def table(folder: str) -> str:
    """The Markdown table of a folder of evaluations, or of reproductions."""
    held = {
        path.stem: json.loads(path.read_text("utf-8"))
        for path in sorted((RESULTS / folder).glob("*.json"))
    }
    first = next(iter(held.values()))
    if folder == "bench":
        head, *rows = bench_table.benchmarks(held)
    elif folder == "baselines":
        head, *rows = bench_table.baselines(held)
    elif first["kind"] == "comparison":
        head, *rows = compared(held)
    elif folder == "backbones":
        head, *rows = backbones(held)
    elif folder == "seeds":
        head, *rows = seeds(held)
    elif "degraded" in first:
        head, *rows = poor(held)
    elif first["kind"] == "reproduction":
        head = REPRODUCTIONS if first["published"] else BETWEEN
        rows = [cells for name, one in held.items() for cells in reproduction(name, one)]
    else:
        head, rows = EVALUATIONS, [row(name, one) for name, one in held.items()]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def speed(name: str) -> str:
    """The Markdown table of a benchmark, with the parts of a row where it has some."""
    held = json.loads((RESULTS / "bench" / f"{name}.json").read_text("utf-8"))
    lines = [["what", "ours", "baseline", "ratio", "wanted"], ["---"] * 5]
    for one in held["rows"]:
        parts = ", ".join(f"{part} {value:.3g}" for part, value in one.get("parts", {}).items())
        own = f"{one['ours']:.3g} {one['unit']}" + (f" ({parts})" if parts else "")
        lines.append([one["what"], own, f"{one['baseline']:.3g}", f"{one['ratio']:.3g}",
                      one["wanted"]])  # fmt: skip
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def filled(page: Path) -> str:
    """The page's text with its tables made anew."""

    def replace(match: re.Match[str]) -> str:
        own = table(match[1])
        if page.parent != RESULTS / match[1]:  # links start from the page
            step = (RESULTS / match[1]).relative_to(page.parent).as_posix()
            own = own.replace("](", f"]({step}/")
        return f"<!-- table: {match[1]} -->\n{own}\n<!-- end -->"

    text = _TABLE.sub(replace, page.read_text("utf-8"))
    text = _SPEED.sub(lambda m: f"<!-- speed: {m[1]} -->\n{speed(m[1])}\n<!-- end -->", text)
    return _STUDY.sub(lambda m: f"<!-- study: {m[1]} -->\n{markdown(m[1])}\n<!-- end -->", text)


def pages() -> list[Path]:
    """Every document that may hold a table."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def write_pages(paths: Iterable[Path], fill: Callable[[Path], str]) -> None:
    """Write the pages whose text with new tables is another."""
    for page in paths:
        text = fill(page)
        if text != page.read_text("utf-8"):
            page.write_text(text, "utf-8")
            print(f"wrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    write_pages(pages(), filled)
