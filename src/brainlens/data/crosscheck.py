"""Owns what a model has seen of the pictures it is judged on: copies, twins, shared groups.

Enters: the rows to judge, and the rows that the model learned from or chose its epoch by. Leaves:
each judged image that was seen, how, and a certificate of what was compared. Twins are searched
whatever the groups say: an index that was never audited has twins in different groups.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from brainlens.core.provenance import versions
from brainlens.data.descriptor import Descriptors
from brainlens.data.index import Index, Row, missing_file_error
from brainlens.data.leakage import KINDS, Leak, leaks_between
from brainlens.data.looking import described
from brainlens.data.twins import find_twins, thresholds

METHOD = (
    "copies by SHA-256 of bytes and of grey pixels; twins by cosine codes, then registration and "
    "correlation of whole frames; patients and twin groups by the groups of the indexes"
)


@dataclass(frozen=True)
class Crosscheck:
    """What of the judged images was seen before."""

    seen: dict[str, Leak]  # by path of the judged image
    judged: int  # images
    compared: int  # learned images searched for twins
    absent: int  # learned images that are not at hand: compared by digest and group alone
    indices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # what each index is

    def counts(self) -> dict[str, int]:
        """Images by the nearest kind: copy, twin, group."""
        kinds = Counter(leak.kind for leak in self.seen.values())
        return {kind: kinds[kind] for kind in KINDS}

    def certificate(self) -> dict[str, Any]:
        """What was checked, how, and with what result."""
        without = f"; {self.absent:,} are not at hand: no twins of them sought" * bool(self.absent)
        return {
            "indices": self.indices,
            "compared": f"{self.judged:,} judged images with {self.compared:,} learned{without}",
            "method": METHOD,
            "thresholds": thresholds(),
            "leaks": self.counts(),
            "complete": not self.absent,
            "versions": versions(),
        }


def crosscheck(
    judged: Index, rows: Sequence[Row], learned: Index, known: Sequence[Row]
) -> Crosscheck:
    """Which of `rows`, of the index `judged`, show a picture of `known`, of the index `learned`.

    Raises IndexFileError for a picture to judge that has moved or is another than the one indexed.
    """
    at_hand = [row for row in known if learned.file(row).is_file()]
    near = _twins(*_described(judged, rows), *_described(learned, at_hand))
    return Crosscheck(
        seen={leak.path: leak for leak in leaks_between(rows, known, near)},
        judged=len(rows),
        compared=len(at_hand),
        absent=len(known) - len(at_hand),
        indices={"judged": judged.about(), "learned": learned.about()},
    )


def groups_certificate(judged: Sequence[Row], learned: Sequence[Row]) -> dict[str, Any]:
    """What a look at digests and groups alone can certify: no picture is opened."""
    kinds = Counter(leak.kind for leak in leaks_between(judged, learned, {}))
    return {
        "compared": f"{len(judged):,} validation with {len(learned):,} training images",
        "method": "copies and groups as the index has them; twins are found by brainlens audit, "
        "and by brainlens evaluate for the images it judges",
        "leaks": {kind: kinds[kind] for kind in ("copy", "group")},
    }


def _described(index: Index, rows: Sequence[Row]) -> tuple[list[str], Descriptors]:
    """The distinct pictures of rows, by pixel digest, and their descriptors."""
    for row in rows:
        if not index.file(row).is_file():
            raise missing_file_error(index, row)
    return described(Index(tuple(rows), index.folder))


def _twins(
    pixels: Sequence[str], one: Descriptors, others: Sequence[str], two: Descriptors
) -> Mapping[str, set[str]]:
    """For each judged picture the learned ones that are its twins."""
    near: defaultdict[str, set[str]] = defaultdict(set)
    if pixels and others:
        for twin in find_twins(one, two):
            near[pixels[twin.i]].add(others[twin.j])
    return near
