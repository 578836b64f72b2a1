"""Writes the tables of enlarging into the documents from the JSON beside them.

    python -m tools.upscale_table

Each stands between `<!-- KIND: NAME -->` and `<!-- end -->`: `scores` (of `upscale score`) and
`verdict` are made of docs/results/upscale/NAME.json, `bench` of docs/results/bench/NAME.json; where
there is none the table says so. A test makes the tables again and compares.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tools.results_table import write_pages

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
PAGES = [ROOT / "docs" / "upscale.md", ROOT / "docs" / "results" / "upscale.md"]
_TABLE = re.compile(r"<!-- (scores|verdict|bench): ([\w-]+) -->\n.*?<!-- end -->", re.S)
_ABSENT = "*Not measured yet.*"
_NAMES = {"psnr_y": "PSNR-Y dB", "ssim_y": "SSIM-Y", "lpips": "LPIPS (VGG)",
          "psnr_rgb": "PSNR-RGB dB"}  # fmt: skip


def scores(result: dict[str, Any]) -> str:
    """A row a method; the best figure of a column in bold."""
    mean = result["mean"]
    best = {
        name: (min if name == "lpips" else max)(one[name] for one in mean.values())
        for name in _NAMES
    }
    rows = [["method", *_NAMES.values()], ["---"] * (len(_NAMES) + 1)]
    for method, figures in mean.items():
        cells = [f"{figures[n]:.2f}" if "psnr" in n else f"{figures[n]:.4f}" for n in _NAMES]
        marked = [f"**{cell}**" if figures[n] == best[n] else cell
                  for n, cell in zip(_NAMES, cells, strict=True)]  # fmt: skip
        rows.append([method, *marked])
    return _markdown(rows)


def verdict(result: dict[str, Any]) -> str:
    """A row a classifier and way of preparing the coarse scan: accuracy, and what it changes."""
    head = ["classifier", "what it is shown", "accuracy % (95 %)"]
    near = result.get("fidelity", {})
    rows = [[*head, "against as it is, points (95 %)", "gained / lost"], ["---"] * 5]
    if near:
        rows = [[*rows[0], "PSNR dB / SSIM"], ["---"] * 6]
    for run, arms in result["runs"].items():
        for name, one in arms.items():
            change, counts = "", ""
            if "change" in one:
                change = f"{one['change']['value']:+.1f} ({_range(one['change'])})"
                counts = f"{one['gained']} / {one['lost']}"
            row = [run, name, f"{one['value']:.1f} ({_range(one)})", change, counts]
            if near:
                own = near.get(name)
                row.append(f"{own['psnr_y']:.2f} / {own['ssim_y']:.4f}" if own else "")
            rows.append(row)
    return _markdown(rows)


def bench(result: dict[str, Any]) -> str:
    """A row a measurement, with its baseline of the same run."""
    rows = [["what", "ours", "baseline", "ratio", "wanted"], ["---"] * 5]
    for row in result["rows"]:
        pair = [f"{row[key]:.4g} {row['unit']}" for key in ("ours", "baseline")]
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        rows.append([row["what"], *pair, ratio, row["wanted"]])
    return _markdown(rows)


def _range(figure: dict[str, float]) -> str:
    return f"{figure['low']:.1f} to {figure['high']:.1f}"


def _markdown(rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


_KINDS = {"scores": (scores, "upscale"), "verdict": (verdict, "upscale"), "bench": (bench, "bench")}


def filled(page: Path) -> str:
    """The page's text with its tables made anew."""

    def replace(match: re.Match[str]) -> str:
        make, folder = _KINDS[match[1]]
        file = RESULTS / folder / f"{match[2]}.json"
        made = make(json.loads(file.read_text("utf-8"))) if file.is_file() else _ABSENT
        return f"<!-- {match[1]}: {match[2]} -->\n{made}\n<!-- end -->"

    return _TABLE.sub(replace, page.read_text("utf-8"))


if __name__ == "__main__":
    write_pages(PAGES, filled)
