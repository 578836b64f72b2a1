"""Writes the tables of results into the documents from the JSON beside them.

    python -m tools.results_table

Each table stands between `<!-- table: FOLDER -->` and `<!-- end -->` of a page under docs/ or of
the README, and is made of the evaluations (`*.json`, as `brainlens evaluate` writes metrics.json)
in docs/results/FOLDER. A test makes the tables again and compares.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tools.study_table import markdown

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
_STUDY = re.compile(r"<!-- study: ([\w-]+) -->\n.*?<!-- end -->", re.S)
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


def table(folder: str) -> str:
    """The Markdown table of a folder of evaluations."""
    head = [
        "split", "test images / groups", "accuracy % (95 %)", "balanced accuracy %",
        "macro AUROC", "ECE", "seen in training", "accuracy % on the unseen part", "JSON",
    ]  # fmt: skip
    rows = [
        row(path.stem, json.loads(path.read_text("utf-8")))
        for path in sorted((RESULTS / folder).glob("*.json"))
    ]
    lines = [head, ["---"] * len(head), *rows]
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
    return _STUDY.sub(lambda m: f"<!-- study: {m[1]} -->\n{markdown(m[1])}\n<!-- end -->", text)


def pages() -> list[Path]:
    """Every document that may hold a table."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def main() -> None:
    """Fill every page."""
    for page in pages():
        text = filled(page)
        if text != page.read_text("utf-8"):
            page.write_text(text, "utf-8")
            print(f"wrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
