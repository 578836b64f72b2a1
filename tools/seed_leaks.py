"""Measures how the seeds' protocols leak, with the package's own audit, and writes the table.

    python -m tools.seed_leaks               # all, a few minutes; needs the shared scans
    python -m tools.seed_leaks --only Cheng  # those whose name has it; the others stay
    python -m tools.seed_leaks --table       # only write the table again from the JSON

Figures go to docs/results/leaks.json, the table to docs/results/leaks.md. An image leaks where the
audit finds its copy, its twin or a member of its group in train. Random splits are drawn five
times.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from brainlens.core.files import write_atomic, write_json
from brainlens.core.places import shared_folder
from brainlens.core.progress import say
from brainlens.core.provenance import now, versions
from brainlens.data.audit import Audit, audit_index
from brainlens.data.index import Index, Row
from brainlens.data.indexing import index_folders
from brainlens.data.leakage import leak_table, leaks_within
from brainlens.data.preprocess import Preprocessing
from brainlens.data.split import split_rows

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
SEEDS = range(5)
SIDE = 150  # pixels, as seed C trains on
COPIES = {"yes": 7, "no": 10}  # of each image: 155 and 98 become 1,085 and 980, seed C's counts
_TABLE = re.compile(r"<!-- leaks -->\n.*?<!-- end -->", re.S)


class Protocol(NamedTuple):
    """What is split how, and what is known about it."""

    name: str
    made: Callable[[Path, Path], Index]  # from the scans' folder and an empty one
    test: float  # share; 0: the folders' own sides
    note: str = ""


def of(*parts: str) -> Callable[[Path, Path], Index]:
    """The index of some folders of the scans, as they are."""
    return lambda mri, _: _index([mri / part for part in parts])


def cheng(mri: Path, _: Path) -> Index:
    """Cheng's slices of which the manifest knows the run of slices, which are of one patient."""
    found = _index([mri / "sartaj", mri / "figshare_extra"], mri / "manifest.csv")
    return Index(tuple(row for row in found.rows if row.patient), found.folder)


def augmented(policy: str) -> Callable[[Path, Path], Index]:
    """Navoneel's images, each augmented into several, as seed C does before it splits."""

    def made(mri: Path, folder: Path) -> Index:
        import torch

        from brainlens.classify.augment import POLICIES, augment, sample_seeds
        from brainlens.core.images import find_images, read_grey

        shape = Preprocessing(SIDE)
        for label, copies in COPIES.items():
            (folder / label).mkdir()
            for number, file in enumerate(find_images(mri / "navoneel" / label)):
                grey = torch.from_numpy(shape.picture(read_grey(file)).copy())[None, None] / 255
                seeds = sample_seeds(0, 0, [number] * copies, list(range(copies)))
                changed = augment(grey.repeat(copies, 1, 1, 1), seeds, POLICIES[policy])
                for turn, picture in enumerate((changed * 255).round().to(torch.uint8).numpy()):
                    Image.fromarray(picture[0]).save(folder / label / f"{number}-{turn}.png")
        return _index([folder])

    return made


def _index(folders: Sequence[Path], manifest: Path | None = None) -> Index:
    return Index(index_folders(folders, label_map={}, manifest=manifest).rows, Path("/"))


sartaj = of("sartaj")  # one for all that split it: it is audited once

PROTOCOLS = (
    Protocol("Sartaj, official test (seed A's source)", sartaj, 0),
    Protocol("Sartaj, merged and shuffled 9:1 (seed A)", sartaj, 0.1),
    Protocol("Sartaj, merged and shuffled 8:2", sartaj, 0.2),
    Protocol("Navoneel, 8:2", of("navoneel"), 0.2),
    Protocol(
        "Navoneel, flipped and quarter-turned, then 8:2 (seed C)", augmented("flips"), 0.2,
        "every test image has the same source as a training image",
    ),
    Protocol(
        "Navoneel, policy `light` (turned by up to 15 degrees, scaled, recoloured), then 8:2",
        augmented("light"), 0.2,
        "every test image has the same source as a training image: what is missing to 100 % the "
        "audit does not see",
    ),
    Protocol(
        "Br35H, 8:2", of("br35h_unique"), 0.2,
        "only one image of each near-duplicate group is at hand: the public set leaks far more",
    ),
    Protocol(
        "Cheng, slices at random 8:2", cheng, 0.2,
        "the leak is the patient: neighbouring slices of one run, by the manifest",
    ),
)  # fmt: skip


def measure(protocol: Protocol, mri: Path) -> dict[str, Any]:
    """How many test images of a protocol leak: by kind, by class, over the splits drawn."""
    audit = _audit(protocol.made, mri)
    pixels = {row.path: row.pixel_digest for row in audit.rows}
    near: defaultdict[str, set[str]] = defaultdict(set)
    for pair in audit.pairs:
        near[pixels[pair.one]].add(pixels[pair.other])
        near[pixels[pair.other]].add(pixels[pair.one])
    draws = []
    for rows in _splits(audit.rows, protocol.test):
        leaks = leaks_within(rows, [row.split for row in rows], near)
        tested = [row for row in rows if row.split == "test"]
        draws.append(leak_table(tested, [leak for leak in leaks if leak.side == "test"]))
    shares = [_sum(draw, "leaking") / _sum(draw, "images") for draw in draws]
    return {
        "protocol": protocol.name,
        "images": len(audit.rows),
        "groups": len({row.group for row in audit.rows}),
        "splits": len(draws),
        "test images": _mean(draws, "images"),
        **{kind: _mean(draws, kind) for kind in ("copy", "twin", "group")},
        "leaking": float(np.mean(shares)),
        "least": min(shares),
        "most": max(shares),
        "classes of the first split": draws[0],
        "note": protocol.note,
    }


@functools.cache
def _audit(made: Callable[[Path, Path], Index], mri: Path) -> Audit:
    """The audit of a set."""
    with tempfile.TemporaryDirectory() as folder:
        return audit_index(made(mri, Path(folder)))


def _splits(rows: Sequence[Row], test: float) -> list[list[Row]]:
    """The rows with their sides: the folders' own, or drawn at random for each seed."""
    if not test:
        return [[dataclasses.replace(row, split=row.official) for row in rows]]
    return [
        split_rows(rows, protocol="random", test=test, val=0, seed=seed)[0] for seed in SEEDS
    ]  # fmt: skip


def _sum(draw: dict[str, dict[str, int]], name: str) -> int:
    return sum(own[name] for own in draw.values())


def _mean(draws: Sequence[dict[str, dict[str, int]]], name: str) -> float:
    return float(np.mean([_sum(draw, name) for draw in draws]))


def table(result: dict[str, Any]) -> str:
    """The Markdown table of the figures."""
    lines = [
        "| protocol | images / groups | test images | copies | twins | only of the group | "
        "leaking % (least to most) |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["protocols"]:
        share = f"{100 * row['leaking']:.1f}"
        if row["splits"] > 1:
            share += f" ({100 * row['least']:.1f} to {100 * row['most']:.1f})"
        counts = [f"{row[name]:g}" for name in ("test images", "copy", "twin", "group")]
        cells = [row["protocol"], f"{row['images']:,} / {row['groups']:,}", *counts, share]
        lines.append("| " + " | ".join(cells) + " |")
    notes = [f"- {row['protocol']}: {row['note']}." for row in result["protocols"] if row["note"]]
    return "\n".join([*lines, "", *notes])


def filled(text: str, result: dict[str, Any]) -> str:
    """The page's text with its table made anew."""
    return _TABLE.sub(lambda _: f"<!-- leaks -->\n{table(result)}\n<!-- end -->", text)


def keep(row: dict[str, Any]) -> None:
    """Put one protocol's figures into the JSON, in the order of PROTOCOLS."""
    path = RESULTS / "leaks.json"
    held = json.loads(path.read_text("utf-8"))["protocols"] if path.exists() else []
    known = {old["protocol"]: old for old in held} | {row["protocol"]: row}
    facts: dict[str, Any] = {"command": "python -m tools.seed_leaks", "seeds": list(SEEDS)}
    rows = [known[p.name] for p in PROTOCOLS if p.name in known]
    write_json(path, facts | {"protocols": rows})


def main() -> None:
    """Measure, keep, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--table", action="store_true", help="only write the table again")
    parser.add_argument("--only", default="", help="part of a protocol's name")
    asked = parser.parse_args()
    shared = shared_folder()
    if shared is None and not asked.table:
        raise SystemExit("needs the shared data: set BRAINLENS_SHARED")
    for protocol in PROTOCOLS:
        if shared is not None and not asked.table and asked.only in protocol.name:
            row = measure(protocol, shared / "data" / "mri")
            keep(row | {"versions": versions(), "measured": now()})
            say(f"{protocol.name}: {row['leaking']:.1%}")
    page = RESULTS / "leaks.md"
    result = json.loads((RESULTS / "leaks.json").read_text("utf-8"))
    write_atomic(page, filled(page.read_text("utf-8"), result))
    print(table(result))


if __name__ == "__main__":
    main()
