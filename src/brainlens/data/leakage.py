"""Owns what sharing a picture means for the rows of an index: leaks and label conflicts.

Enters: rows whose groups are final, and which pictures (by pixel digest) are twins. Leaves: the
images of one side that the other side has seen, and the pictures that carry two labels. Nothing
here decodes an image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from brainlens.data.grouping import Components
from brainlens.data.index import Row
from brainlens.data.quality import name_of

Kind = Literal["copy", "twin", "group"]
Twins = Mapping[str, Iterable[str]]  # pixel digest -> pixel digests of its twins

KINDS: tuple[Kind, ...] = ("copy", "twin", "group")
# Each side, and what was seen before it is judged.
JUDGED = {"test": ("train", "val"), "val": ("train",)}


@dataclass(frozen=True)
class Leak:
    """An image of one side whose picture, or group, is on the other."""

    path: str
    label: str
    side: str  # test, val; "" between two indexes
    kind: Kind  # the nearest that is known
    seen: str  # path of the image on the other side
    seen_label: str


@dataclass(frozen=True)
class Conflict:
    """Images that are one picture, or of one group, and carry labels that exclude each other."""

    kind: str  # copy, twin, group, second label
    paths: tuple[str, ...]
    labels: tuple[str, ...]  # one a path; for a second label: the given and the other one


def exclude(one: str, other: str) -> bool:
    """Whether two labels contradict each other: a tumour may be of any kind."""
    if one == other:
        return False
    return "tumour" not in (one, other) or "none" in (one, other)


def sides_of(rows: Sequence[Row]) -> tuple[str, list[str]]:
    """Which column tells the sides (split, official, or none) and the side of each row."""
    if any(row.split for row in rows):
        return "split", [row.split for row in rows]
    if {"train", "test"} <= {row.official for row in rows}:
        return "official", [row.official for row in rows]
    return "none", ["" for _ in rows]


def leaks_within(rows: Sequence[Row], sides: Sequence[str], twins: Twins) -> list[Leak]:
    """Test images seen in train or val, and val images seen in train."""
    found: list[Leak] = []
    for side, before in JUDGED.items():
        judged = [row for row, own in zip(rows, sides, strict=True) if own == side]
        seen = [row for row, own in zip(rows, sides, strict=True) if own in before]
        found += leaks_between(judged, seen, twins, side=side)
    return found


def leaks_between(
    judged: Sequence[Row], seen: Sequence[Row], twins: Twins, *, side: str = ""
) -> list[Leak]:
    """The judged images of which `seen` holds a copy, a twin or a member of the group."""
    by_digest = _first((row.digest, row) for row in seen)
    by_pixels = _first((row.pixel_digest, row) for row in seen)
    by_group = _first((row.group, row) for row in seen)
    found = []
    for row in judged:
        copy = by_digest.get(row.digest) or by_pixels.get(row.pixel_digest)
        near = (by_pixels.get(other) for other in twins.get(row.pixel_digest, ()))
        known: tuple[tuple[Kind, Row | None], ...] = (
            ("copy", copy),
            ("twin", next(filter(None, near), None)),
            ("group", by_group.get(row.group)),
        )
        for kind, other in known:
            if other is not None:
                found.append(Leak(row.path, row.label, side, kind, other.path, other.label))
                break
    return found


def leak_table(rows: Sequence[Row], leaks: Sequence[Leak]) -> dict[str, dict[str, int]]:
    """By class, of the judged rows: images, copies, twins, group members, and leaking in all."""
    table: dict[str, dict[str, int]] = {}
    for label in sorted({row.label for row in rows}):
        own = [leak for leak in leaks if leak.label == label]
        table[label] = {"images": sum(row.label == label for row in rows)}
        table[label] |= {kind: sum(leak.kind == kind for leak in own) for kind in KINDS}
        table[label]["leaking"] = len(own)
    return table


def conflicts_within(rows: Sequence[Row], twins: Twins) -> list[Conflict]:
    """Pictures with two labels, then groups (patients) with two, then manifests that disagree."""
    pixels = sorted({row.pixel_digest for row in rows})
    place = {digest: i for i, digest in enumerate(pixels)}
    pictures = Components(len(pixels))
    for digest, others in twins.items():
        for other in others:
            if digest in place and other in place:
                pictures.join(place[digest], place[other])
    found: list[Conflict] = []
    told: set[str] = set()
    clusters: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        clusters[pictures.find(place[row.pixel_digest])].append(row)
    for members in clusters.values():
        if _contradict(members):
            kind = "copy" if len({row.pixel_digest for row in members}) == 1 else "twin"
            found.append(_conflict(kind, members))
            told.add(members[0].group)
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.group].append(row)
    found += [
        _conflict("group", members)
        for name, members in groups.items()
        if name not in told and _contradict(members)
    ]
    return found + _second_labels(rows)


def conflicts_across(leaks: Sequence[Leak]) -> list[Conflict]:
    """Pictures to which two indexes give different labels."""
    return [
        Conflict(leak.kind, (leak.path, leak.seen), (leak.label, leak.seen_label))
        for leak in leaks
        if leak.kind != "group" and exclude(leak.label, leak.seen_label)
    ]


def _second_labels(rows: Sequence[Row]) -> list[Conflict]:
    """Rows for which the manifest knew another label."""
    return [
        Conflict("second label", (row.path,), (row.label, note.partition("=")[2]))
        for row in rows
        for note in row.flags.split(";")
        if name_of(note) == "second-label"
    ]


def _contradict(rows: Sequence[Row]) -> bool:
    labels = sorted({row.label for row in rows})
    return any(exclude(one, other) for one in labels for other in labels)


def _conflict(kind: str, rows: Sequence[Row]) -> Conflict:
    return Conflict(kind, tuple(row.path for row in rows), tuple(row.label for row in rows))


def _first(pairs: Iterable[tuple[str, Row]]) -> dict[str, Row]:
    """The first row of each key."""
    first: dict[str, Row] = {}
    for key, row in pairs:
        first.setdefault(key, row)
    return first
