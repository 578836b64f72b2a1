"""Owns what is known of public sets: whose images, perhaps under another label, a user's are.

Enters: rows with descriptors. Leaves: which of them are copies or twins of images of sartaj, Cheng,
navoneel or Br35H, and where those sets label them otherwise. What is known comes with the package
(`known_sets.npz`, a hash manifest without pictures, made by tools/hash_known_sets.py): nothing is
fetched, and nothing of the user's leaves the machine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from brainlens.data.descriptor import Descriptors
from brainlens.data.hashes import HashManifest, load_hashes
from brainlens.data.index import Row
from brainlens.data.labels import ALIASES
from brainlens.data.leakage import Conflict, exclude
from brainlens.data.twins import find_twins

FILE = Path(__file__).with_name("known_sets.npz")
# The first part of a known image's path, and what people call that set.
SETS = {
    "sartaj": "sartaj",
    "figshare_extra": "Cheng",
    "navoneel": "navoneel",
    "br35h_unique": "Br35H",
}
CHENG = "Cheng"  # whose slices, with his number and label, are also in other sets


@dataclass(frozen=True)
class Known:
    """An image of the user's that public sets hold too."""

    path: str
    label: str
    kind: Literal["copy", "twin"]
    sets: tuple[str, ...]  # of the picture itself and of its twins there
    seen: str  # the image of a set that it is a copy or the nearest twin of
    differs: tuple[tuple[str, str], ...]  # (set, label there) where labels exclude each other


@dataclass(frozen=True)
class Recognised:
    """What of an index is known."""

    sets: HashManifest
    images: tuple[Known, ...]

    @property
    def conflicts(self) -> list[Conflict]:
        """Labels that a public set contradicts."""
        return [
            Conflict(f"known to {name}", (one.path,), (one.label, label))
            for one in self.images
            for name, label in one.differs
        ]


def known_sets() -> HashManifest:
    """The hash manifest that comes with the package."""
    return load_hashes(FILE)


def recognise(
    rows: Sequence[Row], pixels: Sequence[str], descriptors: Descriptors, sets: HashManifest
) -> Recognised:
    """The rows that are in the sets; `pixels` (P,) are the digests that `descriptors` belong to.

    A picture known by its digest is not searched for again: its twins in the sets are known too.
    """
    held: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sets.rows:
        held[row.pixel_digest].append(row)
    copies = {digest: [digest] for digest in pixels if digest in held}
    rest = np.array([i for i, digest in enumerate(pixels) if digest not in copies], np.int64)
    twins: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for twin in find_twins(descriptors.take(rest), sets.descriptors) if rest.size else []:
        twins[pixels[int(rest[twin.i])]].append((-twin.r, sets.pixels[twin.j]))
    nearest = {digest: [other for _, other in sorted(found)] for digest, found in twins.items()}
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for row in sets.rows:
        groups[row.group].update(sets_of(row))
    images = []
    for row in rows:
        matched = copies.get(row.pixel_digest) or nearest.get(row.pixel_digest)
        if matched:
            there = [other for digest in matched for other in held[digest]]
            kind: Literal["copy", "twin"] = "copy" if row.pixel_digest in copies else "twin"
            names = tuple(sorted(set().union(*(groups[other.group] for other in there))))
            differs = _differing(row, there)
            images.append(Known(row.path, row.label, kind, names, there[0].path, differs))
    return Recognised(sets, tuple(images))


def sets_of(row: Row) -> list[str]:
    """The sets that hold a known image: its own, and Cheng's where it is a slice of his."""
    own = row.path.partition("/")[0]
    return sorted({SETS.get(own, own), *([CHENG] if "cheng" in _notes(row) else [])})


def describe(found: Recognised, images: int) -> dict[str, Any]:
    """What was recognised, as JSON has it; `images` were looked at."""
    table: dict[str, dict[str, int]] = {}
    for name in sorted({name for one in found.images for name in one.sets}):
        own = [one for one in found.images if name in one.sets]
        kinds = Counter(one.kind for one in own)
        differing = sum(name in dict(one.differs) for one in own)
        table[name] = {"images": len(own), "copy": kinds["copy"], "twin": kinds["twin"]}
        table[name]["other label"] = differing
    return {
        "digest": found.sets.index.digest(),
        "compared with": len(found.sets.rows),
        "images": images,
        "known": len(found.images),
        "sets": table,
        "matches": [
            {"path": one.path, "kind": one.kind, "sets": list(one.sets), "seen": one.seen}
            for one in found.images
        ],
    }


def sentence(known: dict[str, Any]) -> str:
    """What `describe` says, for the terminal."""
    if not known["known"]:
        return f"none of the images is known from {', '.join(SETS.values())}"
    share = f"{known['known']:,} of {known['images']:,} images are known from public sets"
    lines = [
        f"  {name}: {own['images']:,} ({own['copy']:,} copies, {own['twin']:,} twins"
        + (f"; {own['other label']:,} labelled otherwise there)" if own["other label"] else ")")
        for name, own in known["sets"].items()
    ]
    return "\n".join([f"{share}; an image may be in several", *lines])


def _differing(row: Row, there: Sequence[Row]) -> tuple[tuple[str, str], ...]:
    """Each set whose label excludes the row's; only labels of known meaning can."""
    if row.label not in ALIASES:
        return ()
    said: dict[str, str] = {}
    for other in there:
        notes = _notes(other)
        own = SETS.get(other.path.partition("/")[0], "")
        theirs = {own: other.label} if own else {}
        if "cheng" in notes:
            theirs[CHENG] = notes.get("second-label", other.label)
        said |= {name: label for name, label in theirs.items() if exclude(row.label, label)}
    return tuple(sorted(said.items()))


def _notes(row: Row) -> dict[str, str]:
    """The notes of a row by name."""
    return {name: value for name, _, value in (n.partition("=") for n in row.flags.split(";"))}
