"""Owns the audit's folder: `audit.json`, what was found and the certificate, and `index.csv`.

Enters: the file of an index. Leaves: the folder, which `brainlens report` shows, the document, and
where it is asked for a hash manifest.
Paths in the document start from the audited index's own folder, those of the other index from its.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.core.errors import IndexFileError, OutputError
from brainlens.core.files import claim_folder, fresh_folder, write_json
from brainlens.core.provenance import now, provenance, versions
from brainlens.data.audit import Audit, Comparison, audit_index
from brainlens.data.census import census
from brainlens.data.hashes import (
    HashManifest,
    anonymous,
    is_hashes,
    load_hashes,
    save_hashes,
)
from brainlens.data.index import Index, Row, moved, read_index, write_index
from brainlens.data.known_sets import describe as known_sets_of
from brainlens.data.known_sets import known_sets
from brainlens.data.leakage import JUDGED, leak_table, sides_of
from brainlens.data.quality import CHECKS, name_of, unfit
from brainlens.data.suspects import find_suspects
from brainlens.data.twins import thresholds

Document = dict[str, Any]

METHOD = (
    "copies by SHA-256 of bytes and of grey pixels; twins by cosine codes, then registration and "
    "correlation of whole frames; groups joined by copies, twins, patients and earlier groups"
)


def audit_file(
    path: Path, out: Path, *, against: Path | None = None, predictions: Sequence[Path] = (),
    drop: bool = False, overwrite: bool = False, known: bool = True, manifest: Path | None = None,
) -> Document:  # fmt: skip
    """Audit the index `path` into the folder `out`; answers what `audit.json` holds.

    `against` is another index or a hash manifest; `predictions` are evaluations of runs of this
    index, for label errors; `drop` leaves the rows whose picture is unfit out of the new index;
    `known` also asks which images are of public sets; `manifest` is where a hash manifest of the
    new index goes.
    """
    started, clock = now(), time.monotonic()
    if is_hashes(path):
        raise IndexFileError(
            f"{path}: is a hash manifest; expected an index. Compare one with it: brainlens audit "
            f"INDEX --against {path}"
        )
    index = read_index(path)
    other = None if against is None else _other(against)
    if any(out.resolve() in file.resolve().parents for file in (path, against) if file):
        raise OutputError(f"{out}: holds the index to audit. Choose another folder with -o")
    suspects = find_suspects(index, predictions) if predictions else None
    claim_folder(out, overwrite=overwrite, kind="audit")
    audit = audit_index(index, against=other, known=known_sets() if known else None)
    rows = [row for row in audit.rows if not (drop and unfit(row))]
    if not rows:
        raise IndexFileError(
            f"{path}: every image is unfit, so --drop would leave none. Audit without --drop and "
            "look at the column flags"
        )
    written = moved(rows, index.folder, out)
    document: Document = {"kind": "audit", "index": str(path), "against": str(against or "")}
    document |= describe(audit, dropped=len(audit.rows) - len(rows))
    document["suspects"] = None if suspects is None else dataclasses.asdict(suspects)
    document["certificate"] = certificate(audit, Index(tuple(written), out))
    document["provenance"] = provenance("audit", 0, started, time.monotonic() - clock)
    fresh_folder(out, overwrite=True, kind="audit")  # an audit that fails leaves the earlier one
    write_index(written, out, out / "index.csv")
    write_json(out / "audit.json", document)
    if manifest:
        save_hashes(manifest, anonymous(rows), audit.pixels, audit.descriptors)
    return document


def _other(path: Path) -> Index | HashManifest:
    """What to compare with: an index, or a hash manifest."""
    return load_hashes(path) if is_hashes(path) else read_index(path)


def describe(audit: Audit, *, dropped: int = 0) -> Document:
    """What was found, as JSON has it."""
    rows = audit.rows
    return {
        "counts": _counts(audit) | {"dropped": dropped},
        "classes": {label: _class(rows, label) for label in audit.source.labels},
        "sizes": _commonest(f"{row.width} x {row.height}" for row in rows),
        "modes": _commonest(row.mode for row in rows),
        "census": census(rows),
        "flags": _flags(rows),
        "flagged": [
            {"path": row.path, "label": row.label, "flags": notes}
            for row in rows
            if (notes := [note for note in row.flags.split(";") if name_of(note) in CHECKS])
        ],
        "sides": audit.sides,
        "leaks": _leaks(audit),
        "conflicts": [dataclasses.asdict(conflict) for conflict in audit.conflicts],
        "pairs": [dataclasses.asdict(pair) for pair in audit.pairs],
        "comparison": _comparison(rows, audit.against) if audit.against else None,
        "known": audit.recognised and known_sets_of(audit.recognised, len(rows)),
        "shortcut": _shortcut(audit),
    }


def certificate(audit: Audit, written: Index) -> Document:
    """What was checked, how, and with what result: enough to repeat it."""
    others = {} if audit.against is None else {"against": audit.against.index.about()}
    leaks = {f"{side} seen earlier": 0 for side in JUDGED} if audit.sides != "none" else {}
    for leak in audit.leaks:
        leaks[f"{leak.side} seen earlier"] += 1
    if audit.against:
        leaks["in the other index"] = len(audit.against.leaks)
    return {
        "indices": {"audited": audit.source.about(), "written": written.about(), **others},
        "method": METHOD,
        "thresholds": {
            **thresholds(),
            **{f"{name} {check.side}": check.threshold for name, check in CHECKS.items()},
        },
        "sides": audit.sides,
        "leaks": leaks,
        "label conflicts": len(audit.conflicts),
        "known sets": _public(audit),
        "versions": versions(),
    }


def _public(audit: Audit) -> Document | str:
    """How many images public sets hold, by which manifest."""
    if audit.recognised is None:
        return "not looked for"
    sets = audit.recognised.sets
    return {"digest": sets.index.digest(), "known": len(audit.recognised.images)}


def _counts(audit: Audit) -> dict[str, int]:
    rows = audit.rows
    return {
        "images": len(rows),
        "pictures": len({row.pixel_digest for row in rows}),
        "byte_copies": len(rows) - len({row.digest for row in rows}),
        "copies": len(rows) - len({row.pixel_digest for row in rows}),
        "twin_pairs": len(audit.pairs),
        "groups_before": len({row.group for row in audit.source.rows}),
        "groups": len({row.group for row in rows}),
        "conflicts": len(audit.conflicts),
        "leaks": len(audit.leaks),
        "unfit": sum(bool(unfit(row)) for row in rows),
    }


def _class(rows: Sequence[Row], label: str) -> Document:
    """Counts of one class, and the spread of its sizes."""
    own = [row for row in rows if row.label == label]
    return {
        "images": len(own),
        "groups": len({row.group for row in own}),
        "patients": len({row.patient for row in own if row.patient}),
        "unfit": sum(bool(unfit(row)) for row in own),
        "width": _spread([row.width for row in own]),
        "height": _spread([row.height for row in own]),
    }


def _spread(values: Sequence[int]) -> list[float]:
    """Minimum, quartiles and maximum."""
    return [float(value) for value in np.percentile(values, (0, 25, 50, 75, 100))]


def _commonest(values: Any, most: int = 10) -> dict[str, int]:
    return dict(Counter(values).most_common(most))


def _flags(rows: Sequence[Row]) -> dict[str, Document]:
    """Each check: how many images it flags, beyond what, and whether that makes them unfit."""
    names = Counter(name_of(note) for row in rows for note in row.flags.split(";"))
    return {
        name: {
            "images": names[name],
            "beyond": f"{check.side} {check.threshold:g}",
            "unfit": check.drop,
            "why": check.why,
        }
        for name, check in CHECKS.items()
    }


def _leaks(audit: Audit) -> dict[str, Document]:
    """By side: the table of classes and each leaking image."""
    _, sides = sides_of(audit.rows)
    found: dict[str, Document] = {}
    for side in JUDGED:
        judged = [row for row, own in zip(audit.rows, sides, strict=True) if own == side]
        leaks = [leak for leak in audit.leaks if leak.side == side]
        if judged:
            found[side] = {"classes": leak_table(judged, leaks), "images": _listed(leaks)}
    return found


def _comparison(rows: Sequence[Row], other: Comparison) -> Document:
    return {
        "classes": leak_table(rows, other.leaks),
        "images": _listed(other.leaks),
        "twin_pairs": other.twins,
        "conflicts": [dataclasses.asdict(conflict) for conflict in other.conflicts],
        "pairs": [dataclasses.asdict(pair) for pair in other.pairs],
    }


def _listed(leaks: Sequence[Any]) -> list[Mapping[str, str]]:
    return [dataclasses.asdict(leak) for leak in leaks]


def _shortcut(audit: Audit) -> Document:
    """The finding in words and figures."""
    if audit.shortcut is None:
        return {"sentence": f"Not checked: {audit.shortcut_note}", "visible": None}
    figures = dataclasses.asdict(audit.shortcut)
    return {"sentence": audit.shortcut.sentence, "visible": audit.shortcut.visible, **figures}
