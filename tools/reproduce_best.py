"""Fills the row of the recipe `best` from the evaluations of the main road, which it trains.

    python -m tools.reproduce_best

docs/results/main-road/random.json stands for its leaking protocol, grouped.json for its clean one;
what differs from the recipe is said in the row.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from brainlens.classify.config import TrainConfig
from brainlens.core.config import resolve
from brainlens.recipes import read_recipe
from brainlens.reproduce.claims import read_claim

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
COLUMNS = (
    ("seed", "the seed's own protocol", "80:20, image by image", "random"),
    ("clean", "without leakage", "grouped: no patient, twin or copy on two sides", "grouped"),
)
CHANGED = {
    "test share": "a tenth image by image, fold 4 and a tenth by groups",
}


def document() -> dict[str, Any]:
    """As `brainlens reproduce best` would leave it, from the main road's metrics.json."""
    claim = dataclasses.asdict(read_claim("best"))
    columns = []
    for arm, title, protocol, name in COLUMNS:
        path = RESULTS / "main-road" / f"{name}.json"
        result = json.loads(path.read_text("utf-8"))
        columns.append({
            "arm": arm, "title": title, "protocol": protocol, "leaks": arm == "seed",
            "evaluation": f"main-road/{name}.json", "result": result,
        })  # fmt: skip
    settings = dataclasses.asdict(resolve(TrainConfig, read_recipe("best")))
    found: dict[str, Any] = json.loads(json.dumps(
        {"kind": "reproduction", "recipe": "best", "quick": False, "published": claim,
         "settings": settings, "changed": CHANGED, "columns": columns,
         "made_by": "python -m tools.reproduce_best"}
    ))  # fmt: skip
    return found


if __name__ == "__main__":
    text = json.dumps(document(), indent=1) + "\n"
    (RESULTS / "reproduce" / "best-main-road.json").write_text(text, "utf-8")
