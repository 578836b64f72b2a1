"""Owns the protocols: which images train, choose the epoch and judge, as a table.

Those of the seed documents leak, and are kept as they were published; beside each stands one that
does not. Enters: the audited pool of the sets given. Leaves: a plan, which arms.py carries out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from brainlens.core.errors import nearest
from brainlens.data.index import Row
from brainlens.data.split import split_rows
from brainlens.reproduce.multiplied import multiply
from brainlens.reproduce.sets import Pool

CLEAN = "twins removed"  # judged rows that give way to learned ones, beside "all images"
_TEST, _VAL = 0.2, 0.1
_A_SEED = 101  # random_state of seed A
_C_VERSIONS = {"tumour": 7, "none": 10}  # 155 x 7 = 1,085 and 98 x 10 = 980


@dataclass(frozen=True)
class Plan:
    """What one arm does: rows of split train and val, and what is judged, by name."""

    learned: tuple[Row, ...]
    judged: dict[str, tuple[Row, ...]]  # rows of split test
    note: str = ""


@dataclass(frozen=True)
class Protocol:
    """One way to divide images."""

    words: str  # for the table
    sets: tuple[str, ...]  # of sets.ALIASES that it needs; "*": every other one given
    labels: str  # a map of data/labels.py
    plan: Callable[[Pool, Path], Plan]  # from the pool; made images go below the path
    leaks: bool  # whether leaks are part of it


def merge_shuffle(pool: Pool, place: Path) -> Plan:
    """Seed A: Training and Testing merged, shuffled, 9:1; the last tenth of the rest validates."""
    from sklearn.model_selection import train_test_split
    from sklearn.utils import shuffle

    rows = shuffle(pool.of("sartaj"), random_state=_A_SEED)
    rest, test = train_test_split(rows, test_size=0.1, random_state=_A_SEED)
    cut = int(len(rest) * 0.9)  # Keras' validation_split
    return _plan([("train", rest[:cut]), ("val", rest[cut:])], test)


def test_set_in_training(pool: Pool, place: Path) -> Plan:
    """Seed B: 80:20 of a pool that holds the test set's images; the test set is Navoneel's."""
    own = pool.of("edureka")
    rows = own or list(pool.rows)
    note = "" if own else "the test images themselves stand in for their twins among the 4,600"
    return _plan(_sides(rows, "random", 0, 0.2), pool.of("navoneel"), note)


def external(pool: Pool, place: Path) -> Plan:
    """Train on the other sets, less every copy, twin and patient of the test set."""
    return _external(pool.without("navoneel"), pool.of("navoneel"))


def augment_before_split(pool: Pool, place: Path) -> Plan:
    """Seed C: every image multiplied first, versions of one scan on both sides of the split."""
    rows = multiply(pool.of("navoneel"), _C_VERSIONS, place)
    return _whole(_sides(rows, "random", _TEST, _VAL), f"{len(rows)} images after multiplying")


def augment_after_split(pool: Pool, place: Path) -> Plan:
    """The same versions, of training images alone; groups stay on one side."""
    sides = dict(_sides(pool.of("navoneel"), "grouped", _TEST, _VAL))
    sides["train"] = multiply(sides["train"], _C_VERSIONS, place)
    return _whole(list(sides.items()), f"{len(sides['train'])} training images after multiplying")


def random_split(*sets: str) -> Callable[[Pool, Path], Plan]:
    """Image by image."""
    return lambda pool, place: _whole(_sides(pool.of(*sets), "random", _TEST, _VAL))


def grouped_split(*sets: str, test: float = _TEST) -> Callable[[Pool, Path], Plan]:
    """By groups; a known patient fold as a whole."""
    return lambda pool, place: _whole(_sides(pool.of(*sets), "grouped", test, _VAL))


def between(train: str, test: str) -> Protocol:
    """Train on one set, judge another: all of it, and less what training holds too."""

    def plan(pool: Pool, place: Path) -> Plan:
        tested = pool.of(test)
        sides = _sides(_without_folds(pool.of(train)), "grouped", 0, 0.2)
        seen = {row.group for _, rows in sides for row in rows}
        clean = [row for row in tested if row.group not in seen]
        whole = _plan(sides, tested)
        judged = {"all images": whole.judged[""]}
        if clean:
            judged[CLEAN] = _as("test", clean)
        note = f"{len(tested) - len(clean)} of {len(tested)} images of {test} are in {train} too"
        return Plan(whole.learned, judged, note)

    return Protocol(f"trained on {train}, judged on {test}", (train, test), "binary", plan, True)


PROTOCOLS: dict[str, Protocol] = {
    "merge-shuffle": Protocol(
        "official parts merged, shuffled (seed 101), 9:1", ("sartaj",), "types", merge_shuffle, True
    ),
    "test-set-in-training": Protocol(
        "80:20 of a pool that holds the test images", ("navoneel", "*"), "binary",
        test_set_in_training, True,
    ),
    "augment-before-split": Protocol(
        "multiplied by turns and mirrors, then 80:20", ("navoneel",), "binary",
        augment_before_split, True,
    ),
    "random": Protocol("80:20, image by image", ("sartaj",), "types", random_split("sartaj"), True),
    "random-all": Protocol("80:20, image by image", ("*",), "types", random_split(), True),
    "grouped": Protocol(
        "grouped: no patient, twin or copy on two sides", ("sartaj",), "types",
        grouped_split("sartaj", test=0.1), False,
    ),
    "grouped-all": Protocol(
        "grouped: no patient, twin or copy on two sides", ("*",), "types",
        grouped_split(test=0.1), False,
    ),
    "external": Protocol(
        "other sets, less all twins of the test set", ("navoneel", "*"), "binary", external, False
    ),
    "augment-after-split": Protocol(
        "grouped 80:20, then training images multiplied", ("navoneel",), "binary",
        augment_after_split, False,
    ),
}  # fmt: skip


def protocol(name: str) -> Protocol:
    """The table's row."""
    assert name in PROTOCOLS, nearest(name, PROTOCOLS)  # recipes are checked by a test
    return PROTOCOLS[name]


Sides = Sequence[tuple[str, Sequence[Row]]]


def _sides(rows: Sequence[Row], kind: str, test: float, val: float) -> list[tuple[str, list[Row]]]:
    """The rows of each side by data/split.py, seed 0."""
    done, _ = split_rows(rows, protocol=kind, test=test, val=val)  # type: ignore[arg-type]
    names = ("train", "val", "test")
    return [(name, own) for name in names if (own := [row for row in done if row.split == name])]


def _external(others: Sequence[Row], tested: Sequence[Row]) -> Plan:
    groups = {row.group for row in tested}
    kept = [row for row in others if row.group not in groups]
    note = f"{len(others) - len(kept)} of {len(others)} training images removed as twins"
    return _plan(_sides(_without_folds(kept), "grouped", 0, 0.2), tested, note)


def _without_folds(rows: Sequence[Row]) -> list[Row]:
    """Rows whose folds ask for no test fold: the test side is another set."""
    return [dataclasses.replace(row, fold="") for row in rows]


def _whole(sides: Sides, note: str = "") -> Plan:
    """A plan whose test side is one of the split's."""
    return _plan([side for side in sides if side[0] != "test"], dict(sides)["test"], note)


def _plan(learned: Sides, judged: Sequence[Row], note: str = "") -> Plan:
    rows = [row for name, own in learned for row in _as(name, own)]
    return Plan(tuple(rows), {"": _as("test", judged)}, note)


def _as(split: str, rows: Sequence[Row]) -> tuple[Row, ...]:
    return tuple(dataclasses.replace(row, split=split) for row in rows)
