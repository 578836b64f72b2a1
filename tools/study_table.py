"""Makes the Markdown of a study from its study.json, for tools/results_table.py.

It stands between `<!-- study: NAME -->` and `<!-- end -->` of docs/results/study.md, from
docs/results/study/NAME.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from brainlens.report.studied import arm_line, distance, summary, verdict

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results" / "study"
_LONG = 12  # rows: of a longer table the best are shown


def markdown(name: str) -> str:
    """The tables and sentences of one study."""
    document: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    parts = [verdict(document)]
    for number, (title, table) in enumerate(summary(document)):
        head, *rows = table
        if number == 0 and len(rows) > _LONG:
            first = 1 + len(document["design"]["factors"])  # the first arm's column
            title = f"The {_LONG} best of {len(rows)} rows"
            rows = sorted(rows, key=lambda row: -float(row[first].split()[0]))[:_LONG]
        lines = [head, ["---"] * len(head), *rows]
        parts.append("\n".join("| " + " | ".join(cells) + " |" for cells in lines))
        if title:
            parts[-1] = f"{title[0].upper()}{title[1:]}:\n\n{parts[-1]}"
    parts += [f"{arm_line(one)}." for one in document["arms"]] + distance(document)
    seconds = ", ".join(f"{key} {value:.0f} s" for key, value in document["seconds"].items())
    return "\n\n".join([*parts, f"Time: {seconds}. [{name}.json](study/{name}.json)"])
