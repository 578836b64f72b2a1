"""Draws accuracy and loss by epoch of every reproduction kept in docs/results/reproduce.

    python -m tools.reproduce_curves

Each arm of NAME.json gets NAME-ARM-accuracy.svg and NAME-ARM-loss.svg beside it; the page
docs/results/reproduce.md shows them between `<!-- curves -->` and `<!-- end -->`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from brainlens.report.plots import curves

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results" / "reproduce"
PAGE = ROOT / "docs" / "results" / "reproduce.md"
_CURVES = re.compile(r"<!-- curves -->\n.*?<!-- end -->", re.S)


def drawings(document: dict[str, Any]) -> dict[str, str]:
    """SVG by name of arm and quantity; of each training once."""
    found = {}
    for column in document["columns"]:
        result = column["result"]
        history = [
            {key: float(value) if value else None for key, value in row.items() if key != "phase"}
            for row in result["history"]
        ]
        for what in ("accuracy", "loss"):
            name = f"{column['arm']}-{what}"
            if name not in found:
                found[name] = curves(history, what, result["provenance"]["best_epoch"])
    return found


def shown(files: dict[str, list[str]]) -> str:
    """The Markdown that shows them, a recipe a line."""
    parts = [
        f"`{name}`:\n\n"
        + "\n".join(f"![{name}: {own}](reproduce/{name}-{own}.svg)" for own in each)
        for name, each in files.items()
    ]
    return "\n\n".join(parts)


def filled(text: str, files: dict[str, list[str]]) -> str:
    """The page with its pictures."""
    return _CURVES.sub(lambda _: f"<!-- curves -->\n{shown(files)}\n<!-- end -->", text)


def main() -> None:
    """Draw all, then show them."""
    files: dict[str, list[str]] = {}
    for path in sorted(RESULTS.glob("*.json")):
        made = drawings(json.loads(path.read_text("utf-8")))
        for name, svg in made.items():
            path.with_name(f"{path.stem}-{name}.svg").write_text(svg + "\n", "utf-8")
        files[path.stem] = list(made)
    PAGE.write_text(filled(PAGE.read_text("utf-8"), files), "utf-8")


if __name__ == "__main__":
    main()
