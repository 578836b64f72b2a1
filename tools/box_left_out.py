"""Whole sources left out of training, and then judged: tumour or none, twins removed.

    python -m tools.box_left_out split INDEX OUT.csv SOURCE...
    python -m tools.box_left_out judge RUN INDEX OUT.json

`split` makes every row of the named sources (a folder in the path) test, leaves out the rows of
other sources that share a group with them, and the rest is train and val as it was. `judge`
answers the test rows: tumours found and healthy slices left in peace, with intervals over groups.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from brainlens.classify.inference import probabilities
from brainlens.classify.network import load
from brainlens.core.files import write_json
from brainlens.core.provenance import now, versions
from brainlens.data.index import Row, read_index, write_index
from brainlens.data.pictures import pictures
from brainlens.metrics.judgement import judge as judged
from brainlens.report.columns import aligned

NONE = "none"


def main() -> None:
    """One of the two."""
    task, *rest = sys.argv[1:]
    if task == "split":
        split(Path(rest[0]), Path(rest[1]), rest[2:])
    else:
        judge(Path(rest[0]), Path(rest[1]), Path(rest[2]))


def split(index: Path, out: Path, sources: list[str]) -> None:
    """Write the index without a leak from the sources left out."""
    table = read_index(index)
    named = {name: [r for r in table.rows if source(r, sources) == name] for name in sources}
    groups = {row.group for rows in named.values() for row in rows}
    kept = []
    for row in table.rows:
        if source(row, sources):
            kept.append(replace(row, split="test"))
        elif row.group not in groups:
            kept.append(replace(row, split="val" if row.split == "val" else "train"))
    write_index(kept, table.folder, out)
    away = len(table.rows) - len(kept)
    counts = {name: sum(row.split == name for row in kept) for name in ("train", "val", "test")}
    print(f"wrote {out}: {counts}; {away} images of other sources left out as twins of the test")


def source(row: Row, sources: list[str]) -> str:
    """The named source that a row is of; "" for another."""
    parts = PurePosixPath(row.path).parts
    return next((name for name in sources if name in parts), "")


def judge(run: Path, index: Path, out: Path) -> None:
    """Tumour or none on the test rows, by source and together."""
    model, table = load(run / "model.safetensors"), read_index(index)
    rows = table.of("test")
    p = probabilities(model, pictures(table, rows, model.preprocessing))
    none = p[:, model.labels.index(NONE)]
    both = np.stack([none, 1 - none], 1)
    true = np.array([row.label != NONE for row in rows]).astype(int)
    group = np.unique([row.group for row in rows], return_inverse=True)[1]
    names = np.array([_folder(row) for row in rows])
    told: dict[str, Any] = {}
    for name in [*sorted(set(names)), "together"]:
        some = (names == name) | (name == "together")
        own = judged(true[some], both[some], group[some], [NONE, "tumour"])
        told[name] = {"images": int(some.sum()), **own}
    write_json(out, {
        "command": "python -m tools.box_left_out " + " ".join(sys.argv[1:]),
        "versions": versions(), "measured": now(), "run": run.name,
        "index": {"digest": table.digest()}, "sources": told,
    })  # fmt: skip
    print(aligned(_lines(told)))


def _folder(row: Row) -> str:
    """The source's folder: the last but one that is not the class's."""
    return PurePosixPath(row.path).parts[-3] if len(PurePosixPath(row.path).parts) > 2 else ""


def _lines(told: dict[str, Any]) -> list[list[str]]:
    rows = [["source left out", "images", "accuracy % (95 %)", "sensitivity %", "specificity %",
             "AUROC"]]  # fmt: skip
    for name, own in told.items():
        right, sick = own["metrics"]["accuracy"], own["per_class"]["tumour"]
        low, high = 100 * right["low"], 100 * right["high"]
        cells = [f"{100 * sick[key]['value']:.1f}" for key in ("sensitivity", "specificity")]
        area = f"{sick['auroc']['value']:.3f}"
        shown = f"{100 * right['value']:.1f} ({low:.1f} to {high:.1f})"
        rows.append([name, str(own["images"]), shown, *cells, area])
    return rows


if __name__ == "__main__":
    main()
