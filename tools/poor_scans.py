"""Draws accuracy against severity for the models of each folder poor-scans*, beside each other.

python -m tools.poor_scans
"""

from __future__ import annotations

import json
from pathlib import Path

from brainlens.report.severity import severities

_RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
# The models of one folder judged the same images.
FOLDERS = tuple(sorted(path for path in _RESULTS.glob("poor-scans*") if path.is_dir()))


def drawing(folder: Path) -> str:
    """The SVG of every evaluation in the folder."""
    held = {
        path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))
    }
    return severities({name: one["degraded"] for name, one in held.items()})


if __name__ == "__main__":
    for folder in FOLDERS:
        (folder / "curves.svg").write_text(drawing(folder) + "\n", "utf-8")
