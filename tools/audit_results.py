"""Keeps what of an audit may be published: counts and certificate, no name of any image.

python tools/audit_results.py AUDIT -o docs/results/audit-mri.json
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from brainlens.core.files import write_json

KEPT = (
    "kind", "counts", "classes", "sizes", "modes", "sides", "shortcut", "certificate",
    "provenance", "flags",
)  # fmt: skip


def published(document: dict[str, Any]) -> dict[str, Any]:
    """An audit.json less its lists of images."""
    known = document["known"]
    return {
        **{name: document[name] for name in KEPT},
        "leaks": {side: found["classes"] for side, found in document["leaks"].items()},
        "conflicts": dict(Counter(conflict["kind"] for conflict in document["conflicts"])),
        "known": known and {name: own for name, own in known.items() if name != "matches"},
    }


def main() -> None:
    """Read one audit, write the rest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audit", type=Path)
    parser.add_argument("-o", type=Path, dest="out", required=True)
    asked = parser.parse_args()
    document = json.loads((asked.audit / "audit.json").read_text("utf-8"))
    print(f"wrote {write_json(asked.out, published(document))}")


if __name__ == "__main__":
    main()
