"""Writes the tables of `brainlens synth` into the documents from the JSON beside them.

    python -m tools.synth_table

Each stands between `<!-- score: NAME -->` (or verdict, pairs, leaking) and `<!-- end -->` and is
made of docs/results/synth/NAME.json. A test makes the tables again and compares.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tools.results_table import write_pages

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results" / "synth"
PAGES = [ROOT / "docs" / "results" / "synth.md"]
_TABLE = re.compile(r"<!-- (score|verdict|pairs|leaking): ([\w-]+) -->\n.*?<!-- end -->", re.S)
_FIGURES = ("fid", "kid", "precision", "recall", "density", "coverage", "spread")
_RIVALS = ("made", "rival", "real", "noise")


def score(result: dict[str, Any]) -> str:
    """A row a figure: made, real against real, noise."""
    first = next(iter(next(iter(result["classes"].values()))["figures"].values()))
    rivals = [rival for rival in _RIVALS if rival in first]
    rows = [["class, features", "figure", *rivals], ["---"] * (2 + len(rivals))]
    for label, own in result["classes"].items():
        for name, held in own["figures"].items():
            for figure in _FIGURES:
                cells = [_figure(held[rival][figure], figure) for rival in rivals]
                rows.append([f"{label}, {name}", figure, *cells])
    return _markdown(rows)


def verdict(result: dict[str, Any]) -> str:
    """A row an arm and ratio."""
    labels = result["labels"]
    rows = [["arm", "ratio", "pictures", "accuracy %", "balanced %", *labels],
            ["---"] * (5 + len(labels))]  # fmt: skip
    for one in result["rows"]:
        shares = [one["accuracy"], one["balanced_accuracy"],
                  *(one["sensitivity"][label] for label in labels)]  # fmt: skip
        rows.append([one["arm"], f"{one['ratio']:g}", str(one["pictures"]),
                     *(f"{100 * share:.1f}" for share in shares)])  # fmt: skip
    return _markdown(rows)


def pairs(result: dict[str, Any]) -> str:
    """A row a comparison."""
    rows = [["arm", "ratio", "against", "accuracy, points (95 %)",
             f"sensitivity to {result['class']}, points (95 %)", "McNemar p, Holm",
             "bootstrap p, Holm"], ["---"] * 7]  # fmt: skip
    rows += [
        [one["arm"], f"{one['ratio']:g}", one["against"], _points(one["difference"]),
         _points(one["of_class"]), f"{one['holm_mcnemar']:.2g}", f"{one['holm_bootstrap']:.2g}"]
        for one in result["comparisons"]
    ]  # fmt: skip
    return _markdown(rows)


def leaking(result: dict[str, Any]) -> str:
    """Seed A's protocol."""
    held = result["leaking"]["accuracy"]
    base = next(one for one in result["rows"] if one["arm"] == "none")
    rows = [
        ["protocol", "accuracy %"], ["---"] * 2,
        ["grouped, nothing added", f"{100 * base['accuracy']:.1f}"],
        ["merged and shuffled, nothing added", f"{100 * held['without']:.1f}"],
        ["merged and shuffled with made pictures", f"{100 * held['with']:.1f}"],
        ["of that, real test pictures", f"{100 * held['real']:.1f}"],
        ["of that, made test pictures", f"{100 * held['made']:.1f}"],
    ]  # fmt: skip
    return _markdown(rows)


def _figure(held: dict[str, float | None], name: str) -> str:
    form = ".1f" if name in ("fid", "spread") else ".3f"
    text = f"{held['value']:{form}}"
    if held["low"] is None:
        return text
    return f"{text} ({held['low']:{form}} to {held['high']:{form}})"


def _points(held: dict[str, float | None]) -> str:
    value, low, high = held["value"], held["low"], held["high"]
    assert value is not None
    if low is None or high is None:
        return f"{100 * value:+.1f}"
    return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _markdown(rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


_MADE = {"score": score, "verdict": verdict, "pairs": pairs, "leaking": leaking}


def filled(page: Path) -> str:
    """The page with its tables made from their JSON."""

    def table(match: re.Match[str]) -> str:
        kind, name = match[1], match[2]
        result = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
        return f"<!-- {kind}: {name} -->\n{_MADE[kind](result)}\n<!-- end -->"

    return _TABLE.sub(table, page.read_text("utf-8"))


if __name__ == "__main__":
    write_pages(PAGES, filled)
