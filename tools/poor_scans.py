"""Draws accuracy against severity for the models of docs/results/poor-scans, beside each other.

python -m tools.poor_scans
"""

from __future__ import annotations

import json
from pathlib import Path

from brainlens.report.severity import severities

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "results" / "poor-scans"


def drawing(folder: Path = FOLDER) -> str:
    """The SVG of every evaluation in the folder."""
    held = {
        path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))
    }
    return severities({name: one["degraded"] for name, one in held.items()})


if __name__ == "__main__":
    (FOLDER / "curves.svg").write_text(drawing() + "\n", "utf-8")
