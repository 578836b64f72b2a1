"""Writes the tables of `brainlens style score` into the documents from the JSON beside them.

    python -m tools.style_table

Each stands between `<!-- style: NAME -->` (or `outlines`, `verdict`, `bench`) and `<!-- end -->`
and is made of docs/results/style/NAME.json (`bench`: docs/results/bench/NAME.json). A test makes
the tables again and compares.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tools.results_table import write_pages
from tools.upscale_table import bench

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results" / "style"
PAGES = [ROOT / "docs" / "style.md", ROOT / "docs" / "results" / "style.md"]
_TABLE = re.compile(r"<!-- (style|outlines|verdict|bench): ([\w-]+) -->\n.*?<!-- end -->", re.S)


def scores(result: dict[str, Any]) -> str:
    """A row a set of pictures: its distance to the paintings, with intervals."""
    rows = [["pictures", "KID x 1000 (95 %)", "FID (95 %)"], ["---"] * 3]
    for name, figures in result["figures"].items():
        rows.append([name, cell(figures.get("kid"), 1000), cell(figures.get("fid"), 1)])
    return markdown(rows)


def outlines(result: dict[str, Any]) -> str:
    """A row a figure of the check against tumour outlines."""
    names = {
        "change_inside": "change inside the outlines, grey levels",
        "change_outside": "change outside, grey levels",
        "inside_to_outside": "inside : outside",
        "contrast_left": "share of the tumours' contrast that is left",
    }
    rows = [["figure", "value (95 %)"], ["---"] * 2]
    rows += [[text, cell(result["figures"][name], 1, 2)] for name, text in names.items()]
    return markdown(rows)


def verdict(result: dict[str, Any]) -> str:
    """A row a figure of a classifier: scans as they are, harmonised, and the paired difference."""
    arms = result["arms"]
    rows = [["%", *(f"{name} (95 %)" for name in arms)], ["---"] * (1 + len(arms))]
    names = next(iter(arms.values()))
    rows += [[name, *(cell(arm[name], 100) for arm in arms.values())] for name in names]
    return markdown(rows)


def cell(figure: dict[str, Any] | None, times: float, digits: int = 1) -> str:
    """A figure with its interval."""
    if figure is None:
        return ""
    value = f"{figure['value'] * times:.{digits}f}"
    if figure["low"] is None or figure["high"] is None:
        return value
    return f"{value} ({figure['low'] * times:.{digits}f} to {figure['high'] * times:.{digits}f})"


def markdown(rows: list[list[str]]) -> str:
    """Cells as a table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


_KINDS = {
    "style": (scores, RESULTS),
    "outlines": (outlines, RESULTS),
    "verdict": (verdict, RESULTS),
    "bench": (bench, RESULTS.parent / "bench"),
}


def filled(page: Path) -> str:
    """The page's text with its tables made anew."""

    def replace(match: re.Match[str]) -> str:
        make, folder = _KINDS[match[1]]
        own = make(json.loads((folder / f"{match[2]}.json").read_text("utf-8")))
        return f"<!-- {match[1]}: {match[2]} -->\n{own}\n<!-- end -->"

    return _TABLE.sub(replace, page.read_text("utf-8"))


if __name__ == "__main__":
    write_pages(PAGES, filled)
