"""Owns the audit of an index: twins, copies, leaks, label conflicts, unfit pictures, shortcuts.

Enters: an index, another (or a hash manifest) to compare it with, and what is known of public sets.
Leaves: the rows with joined groups and quality flags, and what was found, as plain data; nothing is
written but the caches of looks and twins. Every file is decoded at most once (looks), and checked
against the digest that the index gives it; pictures compared before are not compared again.

Memory: a frame of 16 KB and a descriptor of 19 KB for each distinct picture.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from brainlens.core.allocator import keep_freed_memory
from brainlens.core.errors import IndexFileError
from brainlens.data.descriptor import Descriptors
from brainlens.data.grouping import name_groups
from brainlens.data.hashes import HashManifest
from brainlens.data.index import Index, Row, missing_file_error
from brainlens.data.known_sets import Recognised, recognise
from brainlens.data.leakage import (
    Conflict,
    Leak,
    conflicts_across,
    conflicts_within,
    leaks_between,
    leaks_within,
    sides_of,
)
from brainlens.data.looking import described, look_at
from brainlens.data.quality import flag_rows
from brainlens.data.shortcut import Shortcut, facts_of_row, shortcut
from brainlens.data.twin_store import twins_of
from brainlens.data.twins import Twin, find_twins, twin_groups


@dataclass(frozen=True)
class Pair:
    """Two images of an index (or one of it and one of another) that are one picture."""

    one: str
    other: str
    r: float  # correlation at 128 x 128
    transform: str  # what was done to `other`, in words


@dataclass(frozen=True)
class Comparison:
    """What an index shares with another."""

    index: Index  # of a hash manifest: rows without files
    leaks: tuple[Leak, ...]  # images of the audited index that the other one holds
    twins: int  # pairs of pictures, copies aside
    conflicts: tuple[Conflict, ...]
    pairs: tuple[Pair, ...] = ()  # these; `one` is of the audited index


@dataclass(frozen=True)
class Audit:
    """What an audit found."""

    source: Index
    rows: tuple[Row, ...]  # in the order of the source: groups joined, flags set
    pairs: tuple[Pair, ...]  # twins of distinct pictures; copies are told by their digests
    sides: str  # the column that tells the sides: split, official or none
    leaks: tuple[Leak, ...]
    conflicts: tuple[Conflict, ...]
    shortcut: Shortcut | None
    shortcut_note: str  # why there is none
    against: Comparison | None
    recognised: Recognised | None  # from public sets; None: not looked for
    pixels: tuple[str, ...]  # (P,) the distinct pixel digests of the rows
    descriptors: Descriptors = field(repr=False, compare=False)  # (P,)


def audit_index(
    index: Index, *, against: Index | HashManifest | None = None, known: HashManifest | None = None,
    seed: int = 0,
) -> Audit:  # fmt: skip
    """Look at every image of an index; compare it with another, and with known public sets.

    Raises IndexFileError where an image has moved or changed since it was indexed.
    """
    keep_freed_memory()  # twins and the shortcut check take and free the same tens of MB
    for each in (index, against):
        if isinstance(each, Index):
            _check_places(each)
    looks, place = look_at(index)
    pixels, first = _distinct(index.rows)
    descriptors = looks.descriptors.take(np.array([place[i] for i in first], np.int64))
    twins = twins_of(pixels, descriptors)
    near = _neighbours(pixels, pixels, twins)
    rows = flag_rows(_grouped(index.rows, pixels, twins), looks.measures(place))
    sides, of_rows = sides_of(rows)
    hint, why = _shortcut(rows, looks.facts(place), seed)
    recognised = recognise(rows, pixels, descriptors, known) if known else None
    told = [*conflicts_within(rows, near), *(recognised.conflicts if recognised else ())]
    return Audit(
        source=index,
        rows=tuple(rows),
        pairs=tuple(
            Pair(rows[first[t.i]].path, rows[first[t.j]].path, t.r, t.transform) for t in twins
        ),
        sides=sides,
        leaks=tuple(leaks_within(rows, of_rows, near)),
        conflicts=tuple(told),
        shortcut=hint,
        shortcut_note=why,
        against=None if against is None else _compare(rows, pixels, descriptors, against),
        recognised=recognised,
        pixels=tuple(pixels),
        descriptors=descriptors,
    )


def _check_places(index: Index) -> None:
    """Every image must be where the index says, before any is read."""
    for row in index.rows:
        if not index.file(row).is_file():
            raise missing_file_error(index, row)


def _distinct(rows: Sequence[Row]) -> tuple[list[str], list[int]]:
    """The pixel digests, each once, and the first row of each."""
    first: dict[str, int] = {}
    for number, row in enumerate(rows):
        first.setdefault(row.pixel_digest, number)
    return list(first), list(first.values())


def _neighbours(
    pixels: Sequence[str], others: Sequence[str], twins: Sequence[Twin]
) -> Mapping[str, set[str]]:
    """The twins of each picture, by pixel digest; in both directions."""
    near: defaultdict[str, set[str]] = defaultdict(set)
    for twin in twins:
        one, other = pixels[twin.i], others[twin.j]
        if one != other:
            near[one].add(other)
            near[other].add(one)
    return dict(near)


def _grouped(rows: Sequence[Row], pixels: Sequence[str], twins: Sequence[Twin]) -> list[Row]:
    """The rows with groups joined by copies, twins, patients and the groups they had."""
    number = dict(zip(pixels, twin_groups(len(pixels), twins), strict=True))
    names = name_groups(
        [row.pixel_digest for row in rows],
        [
            [row.digest for row in rows],
            [row.patient for row in rows],
            [row.group for row in rows],
            [str(number[row.pixel_digest]) for row in rows],
        ],
    )
    return [dataclasses.replace(row, group=name) for row, name in zip(rows, names, strict=True)]


def _compare(
    rows: Sequence[Row],
    pixels: Sequence[str],
    descriptors: Descriptors,
    against: Index | HashManifest,
) -> Comparison:
    """Look for the rows' pictures in another index, or among the digests of a hash manifest."""
    if isinstance(against, HashManifest):
        other, theirs, held = against.index, list(against.pixels), against.descriptors
    else:
        other = against
        theirs, held = described(other)
    first = dict(zip(*_distinct(other.rows), strict=True))
    twins = find_twins(descriptors, held)
    near = _neighbours(pixels, theirs, twins)
    # Group names of two indexes are compared only by pictures: a patient's name may be a number.
    direct = leaks_between(
        [dataclasses.replace(row, group="") for row in rows],
        [dataclasses.replace(row, group=f"other {row.group}") for row in other.rows],
        near,
    )
    found = {leak.path: leak for leak in direct}
    of_group = {row.group: found[row.path] for row in rows if row.path in found}
    for row in rows:
        if row.path not in found and row.group in of_group:
            known = of_group[row.group]
            found[row.path] = Leak(row.path, row.label, "", "group", known.seen, known.seen_label)
    own = _distinct(rows)[1]
    pairs = tuple(
        Pair(rows[own[t.i]].path, other.rows[first[theirs[t.j]]].path, t.r, t.transform)
        for t in twins
        if pixels[t.i] != theirs[t.j]
    )
    leaks = tuple(found[row.path] for row in rows if row.path in found)
    return Comparison(other, leaks, len(pairs), tuple(conflicts_across(leaks)), pairs)


def _shortcut(
    rows: Sequence[Row], seen: Sequence[Mapping[str, float]], seed: int
) -> tuple[Shortcut | None, str]:
    """The shortcut check, or why these rows do not allow it."""
    known = [{**facts_of_row(row), **facts} for row, facts in zip(rows, seen, strict=True)]
    try:
        labels, groups = [row.label for row in rows], [row.group for row in rows]
        return shortcut(known, labels, groups, seed=seed), ""
    except IndexFileError as error:
        return None, str(error)
