"""Owns an item of a checklist and its state: answered, in part, or left to the author."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from brainlens.report.checklist.evidence import Evidence, Said

State = Literal["answered", "in part", "open"]


class Item(NamedTuple):
    """What a checklist asks under one number."""

    number: str
    part: str
    asks: str
    answers: tuple[Callable[[Evidence], Said | None], ...] = ()
    author: str = ""  # what the files can never say; "" where they can say all
    how: str = ""  # what makes the files say it

    def said(self, seen: Evidence) -> list[Said]:
        """What the files answer."""
        found = [answer(seen) for answer in self.answers]
        return [said for said in found if said is not None]


class Filled(NamedTuple):
    """An item with what is known of it."""

    item: Item
    said: list[Said]
    state: State


def fill(items: tuple[Item, ...], seen: Evidence) -> list[Filled]:
    """Every item with what the files say, in the order of the checklist."""
    return [Filled(item, said, _state(item, said)) for item in items for said in [item.said(seen)]]


def _state(item: Item, said: list[Said]) -> State:
    if not said:
        return "open"
    whole = not item.author and len(said) == len(item.answers)
    return "answered" if whole else "in part"
