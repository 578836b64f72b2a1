"""Owns the last look before training: no judged picture may be among the learned ones.

Enters: a plan. Leaves: the plan without what is on both sides. Groups have kept known twins apart
already; here the two sides are searched once more, and each way round, since a leak names only one
picture of the other side and all of them must go.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from brainlens.data.crosscheck import crosscheck
from brainlens.data.index import Index, Row
from brainlens.reproduce.protocols import CLEAN, Plan


def separated(plan: Plan) -> Plan:
    """Drop learned rows that a judged row shows, or from the judged rows CLEAN those learned."""
    if CLEAN in plan.judged:
        judged = plan.judged[CLEAN]
        shared = _shared(judged, plan.learned)[0]
        kept = tuple(row for row in judged if row.path not in shared)
        note = f"{plan.note}; {len(judged) - len(kept)} more by a last search"
        return dataclasses.replace(plan, judged={**plan.judged, CLEAN: kept}, note=note)
    judged = tuple(row for rows in plan.judged.values() for row in rows)
    learned = list(plan.learned)
    while shared := _shared(judged, learned)[1]:
        learned = [row for row in learned if row.path not in shared]
    removed = len(plan.learned) - len(learned)
    note = "; ".join(filter(None, [plan.note, f"{removed} training images removed at last"]))
    return dataclasses.replace(plan, learned=tuple(learned), note=note if removed else plan.note)


def _shared(judged: Sequence[Row], learned: Sequence[Row]) -> tuple[set[str], set[str]]:
    """The paths of judged rows, and of learned ones, that show a picture of the other side."""
    one, two = (Index(tuple(rows), Path("/")) for rows in (judged, learned))
    forth = crosscheck(one, judged, two, learned).seen
    back = crosscheck(two, learned, one, judged).seen
    return (
        {*forth, *(leak.seen for leak in back.values())},
        {*back, *(leak.seen for leak in forth.values())},
    )
