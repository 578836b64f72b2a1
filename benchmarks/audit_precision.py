"""How many of the twins that the audit finds are twins: the pairs that no manifest vouches for.

    python -m benchmarks.audit_precision --sheets sheets         # draw them, to be looked at
    python -m benchmarks.audit_precision                         # precision, by the verdicts so far

Needs the shared scans ($BRAINLENS_SHARED). A pair within one `near_dup_group` of the manifest
counts as true; every other one has been looked at, and its verdict (true, false, unsure) stands in
docs/results/audit-precision.json, where each run finds it again by the names of the files. Sheets
hold scans: they are for the eye, never for the repository.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from brainlens.core.files import write_json
from brainlens.core.images import read_grey
from brainlens.core.places import shared_folder
from brainlens.core.provenance import now, versions
from brainlens.data import symmetry
from brainlens.data.descriptor import describe, frame_of
from brainlens.data.laying import TWIN
from brainlens.data.twins import Twin, find_twins

RESULT = Path(__file__).resolve().parents[1] / "docs" / "results" / "audit-precision.json"
VERDICTS = ("true", "false", "unsure")
SIDE, COLUMNS, ROWS = 200, 2, 5  # of a sheet: pixels a picture, pairs across and down


class Found(NamedTuple):
    """The twins among the scans, and the pairs that the manifest does not know."""

    rows: list[dict[str, str]]
    twins: list[Twin]
    unknown: list[Twin]


def find(root: Path) -> Found:
    """All twins of the scans, and which of them lie in two groups of the manifest."""
    with (root / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    twins = find_twins(describe(frame_of(read_grey(root / row["file"])) for row in rows))
    group = [row["near_dup_group"] for row in rows]
    return Found(rows, twins, [twin for twin in twins if group[twin.i] != group[twin.j]])


def listed(found: Found, judged: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The unknown pairs with the verdicts given before, the least alike first."""
    before = {(pair["one"], pair["other"]): pair for pair in judged}
    pairs = []
    for twin in sorted(found.unknown, key=lambda twin: twin.r):
        one, other = found.rows[twin.i], found.rows[twin.j]
        known = before.get((one["file"], other["file"]), {})
        pairs.append(
            {
                "one": one["file"],
                "other": other["file"],
                "r": twin.r,
                "transform": twin.transform,
                "distinct Cheng slices": _distinct(one, other),
                "verdict": known.get("verdict", ""),
                "seen": known.get("seen", ""),
            }
        )
    return pairs


def _distinct(one: dict[str, str], other: dict[str, str]) -> bool:
    """Whether both are slices of Cheng's set, and not the same one."""
    ids = int(one["figshare_id"]), int(other["figshare_id"])
    return 0 not in ids and ids[0] != ids[1]


def figures(found: Found, pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Precision over all pairs found, and over those the manifest lacks; unsure counts as false."""
    verdicts = Counter(pair["verdict"] for pair in pairs)
    wrong = sum(n for verdict, n in verdicts.items() if verdict != "true")
    return {
        "pairs found": len(found.twins),
        "in one group of the manifest": len(found.twins) - len(pairs),
        "not in the manifest": len(pairs),
        "verdicts": {name or "not looked at": n for name, n in sorted(verdicts.items())},
        "distinct Cheng slices": sum(pair["distinct Cheng slices"] for pair in pairs),
        "precision": 1 - wrong / len(found.twins),
        "precision where the manifest is silent": 1 - wrong / len(pairs) if pairs else None,
    }


def draw(found: Found, root: Path, folder: Path) -> list[Path]:
    """Sheets of the unknown pairs, numbered: one, the other turned as it, both laid over."""
    folder.mkdir(parents=True, exist_ok=True)
    order = sorted(found.unknown, key=lambda twin: twin.r)
    written = []
    for at in range(0, len(order), COLUMNS * ROWS):
        sheet = Image.new("RGB", (COLUMNS * (3 * SIDE + 20), ROWS * (SIDE + 16)), "white")
        for place, twin in enumerate(order[at : at + COLUMNS * ROWS]):
            x, y = place % COLUMNS * (3 * SIDE + 20), place // COLUMNS * (SIDE + 16)
            one, other = (_square(root / found.rows[k]["file"]) for k in (twin.i, twin.j))
            other = symmetry.turn(other, twin.symmetry)
            both = np.stack([one, other, other], 2)
            for column, picture in enumerate((one, other, both)):
                tile = Image.fromarray(np.ascontiguousarray(picture))
                sheet.paste(tile, (x + column * SIDE, y + 14))
            names = " | ".join(found.rows[k]["file"][-34:] for k in (twin.i, twin.j))
            words = f"{at + place}: r {twin.r:.4f} {twin.transform} {names}"
            ImageDraw.Draw(sheet).text((x, y), words, fill="black")
        written.append(folder / f"pairs-{at:03d}.png")
        sheet.save(written[-1])
    return written


def _square(file: Path) -> Any:
    return np.asarray(Image.fromarray(read_grey(file)).resize((SIDE, SIDE)))


def main() -> None:
    """Find, draw or count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sheets", type=Path, help="draw the pairs into this folder")
    asked = parser.parse_args()
    shared = shared_folder()
    if shared is None:
        raise SystemExit("needs the shared data: set BRAINLENS_SHARED")
    root = shared / "data" / "mri"
    found = find(root)
    if asked.sheets:
        for sheet in draw(found, root, asked.sheets):
            print(f"wrote {sheet}")
    held = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {"pairs": []}
    pairs = listed(found, held["pairs"])
    result = {
        "command": "python -m benchmarks.audit_precision",
        "twin correlation": TWIN,
        "scans": len(found.rows),
        **figures(found, pairs),
        "judged": held.get("judged", ""),
        "versions": versions(),
        "measured": now(),
        "pairs": pairs,
    }
    write_json(RESULT, result)
    print(json.dumps({name: result[name] for name in result if name != "pairs"}, indent=1))


if __name__ == "__main__":
    main()
