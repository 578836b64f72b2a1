"""Owns the split: which images train, validate and test, so that no group is on two sides.

Enters: index rows and a protocol. Leaves: one of train / val / test / "" (not used) for each row,
and the record of how it was made, which travels with every figure.

- `grouped`: stratified by class, no group on two sides. Where an index knows its patients only by
  fold (column `fold`), the test side takes one whole fold of them, so that no patient of the test
  side is anywhere else; the other images follow `test` by groups.
- `random`: image by image, as published work does it; copies, twins and patients leak.
- `official`: the folders' own Training / Testing; validation is cut from training by groups.
- `folds`: K-fold cross-validation by groups, keeping known folds; `fold` is the test side.

`val` is a share of what is not test.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from brainlens.core.errors import SplitError
from brainlens.core.files import write_json
from brainlens.core.seeding import generator
from brainlens.data.index import Index, Row, counts

Protocol = Literal["grouped", "random", "official", "folds"]


@dataclass(frozen=True)
class SplitRecord:
    """How a split was made."""

    protocol: str
    seed: int
    test: float  # share of all images
    val: float  # share of the images that are not test
    folds: int = 0  # 0: no folds
    fold: str = ""  # the fold that is the test side
    note: str = ""
    index_digest: str = ""
    counts: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    groups: dict[str, int] = dataclasses.field(default_factory=dict)


def split_rows(
    rows: Sequence[Row],
    *,
    protocol: Protocol,
    test: float = 0.1,
    val: float = 0.1,
    seed: int = 0,
    folds: int = 0,
    fold: str = "",
    partial: str = "",
) -> tuple[list[Row], SplitRecord]:
    """Give every row its split. Raises SplitError for a request that these rows cannot meet.

    `partial` is a label that may stand for several others: a dense head can learn from it.
    """
    _check_request(rows, test, val, partial)
    real = [row for row in rows if row.origin == "real"]
    if protocol == "official":
        sides, note = _official(real, val, seed)
    elif protocol == "random":
        keys = [str(i) for i in range(len(real))]
        sides, note = _by_share(real, keys, test, val, seed), "image by image: groups may leak"
    elif protocol == "folds" or any(row.fold for row in real):
        sides, note, fold, folds = _by_fold(real, protocol, test, val, seed, folds, fold)
    else:
        sides, note = _by_share(real, [row.group for row in real], test, val, seed), ""
    given = dict(zip((row.path for row in real), sides, strict=True))
    # A synthetic image may only train; what its source was is checked where it is used.
    done = [dataclasses.replace(row, split=given.get(row.path, "train")) for row in rows]
    groups = {name: len({r.group for r in done if r.split == name}) for name in counts(done)}
    record = SplitRecord(
        protocol, seed, test, val, folds, fold, note,
        index_digest=Index(tuple(done), Path()).digest(), counts=counts(done), groups=groups,
    )  # fmt: skip
    return done, record


def _check_request(rows: Sequence[Row], test: float, val: float, partial: str) -> None:
    """Refuse shares that leave nothing, and rows with nothing to tell apart."""
    for name, share in (("test", test), ("val", val)):
        if not 0 <= share < 1:
            raise SplitError(f"--{name} {share}: expected a share of 0 or more and below 1")
    if test + val >= 1:
        raise SplitError(f"--test {test} --val {val}: nothing is left to train on")
    labels = {row.label for row in rows}
    if len(labels) < 2:
        only = next(iter(labels), "")
        raise SplitError(
            f"every image has the label {only!r}: a classifier needs two classes. "
            "Add a folder of another class, or check --label-map"
        )
    if "tumour" in labels - {partial} and labels & {"glioma", "meningioma", "pituitary"}:
        raise SplitError(
            "some images say only 'tumour' and others which kind: the classes overlap. Index again "
            "with --label-map binary (tumour or none) or --label-map types (the four classes); for "
            "a dense head, which learns from both, split with --partial tumour"
        )


def _official(rows: Sequence[Row], val: float, seed: int) -> tuple[list[str], str]:
    """The folders' own split; validation from training, by groups."""
    if not {"train", "test"} <= {row.official for row in rows}:
        raise SplitError(
            "--protocol official: the index has no Training and Testing folders. "
            "Use --protocol grouped"
        )
    sides = [row.official for row in rows]
    if "val" not in sides and val:
        train = [i for i, side in enumerate(sides) if side == "train"]
        cut = _by_share([rows[i] for i in train], [rows[i].group for i in train], 0.0, val, seed)
        for i, side in zip(train, cut, strict=True):
            sides[i] = side
    unused = sides.count("")
    return sides, f"{unused} images of no official side left out" if unused else ""


def _by_fold(
    rows: Sequence[Row], protocol: Protocol, test: float, val: float, seed: int, folds: int,
    fold: str,
) -> tuple[list[str], str, str, int]:  # fmt: skip
    """One fold is the test side; the rest is cut into train and val by groups."""
    known = sorted({row.fold for row in rows if row.fold})
    if known and folds not in (0, len(known)):
        raise SplitError(
            f"--folds {folds}: the index knows patients by {len(known)} folds; leave --folds out"
        )
    names = known or [str(i + 1) for i in range(folds or 5)]
    fold = fold or names[generator(seed, "fold").integers(len(names))]
    if fold not in names:
        raise SplitError(f"--fold {fold}: no such fold; valid: {', '.join(names)}")
    # A group with a member of a known fold belongs to that fold with all its members.
    of_group = {row.group: row.fold for row in rows if row.fold}
    if any(of_group[row.group] != row.fold for row in rows if row.fold):
        raise SplitError("a group spans two patient folds. Correct the manifest and index again")
    in_fold = [of_group.get(row.group, "") for row in rows]
    loose = [i for i, name in enumerate(in_fold) if not name]
    if protocol == "folds":
        loose_rows = [rows[i] for i in loose]
        dealt = _deal(loose_rows, [row.group for row in loose_rows], names, seed)
        is_test = {i for i, name in zip(loose, dealt, strict=True) if name == fold}
    else:
        sides = _by_share([rows[i] for i in loose], [rows[i].group for i in loose], test, 0.0, seed)
        is_test = {i for i, side in zip(loose, sides, strict=True) if side == "test"}
    is_test |= {i for i, name in enumerate(in_fold) if name == fold}
    rest = [i for i in range(len(rows)) if i not in is_test]
    cut = _by_share([rows[i] for i in rest], [rows[i].group for i in rest], 0.0, val, seed)
    sides = ["test"] * len(rows)
    for i, side in zip(rest, cut, strict=True):
        sides[i] = side
    whole = sum(name == fold for name in in_fold)
    note = f"patient fold {fold} of {len(names)} is test as a whole ({whole} images)"
    return sides, note if known else f"fold {fold} of {len(names)} is test", fold, len(names)


def _by_share(
    rows: Sequence[Row], keys: Sequence[str], test: float, val: float, seed: int
) -> list[str]:
    """Cut rows into train, val and test; rows of one key stay together; classes in proportion."""
    shares = {"test": test, "val": (1 - test) * val}
    shares = {"train": 1 - sum(shares.values()), **{k: v for k, v in shares.items() if v > 0}}
    if len(shares) == 1 or not rows:
        return ["train"] * len(rows)
    return _assign(rows, keys, shares, seed)


def _deal(rows: Sequence[Row], keys: Sequence[str], names: Sequence[str], seed: int) -> list[str]:
    """Deal rows to equal folds; rows of one key stay together."""
    return _assign(rows, keys, {name: 1 / len(names) for name in names}, seed) if rows else []


def _assign(
    rows: Sequence[Row], keys: Sequence[str], shares: dict[str, float], seed: int
) -> list[str]:
    """Stratified assignment of whole groups to sides, largest groups first (greedy).

    Each group goes where it brings the class counts nearest to their shares; before that, each
    side gets one small group of every class, so that no figure is undefined.
    """
    labels = sorted({row.label for row in rows})
    units = sorted(set(keys))
    unit_of = {key: i for i, key in enumerate(units)}
    table = np.zeros((len(units), len(labels)))  # (groups, K) images
    for row, key in zip(rows, keys, strict=True):
        table[unit_of[key], labels.index(row.label)] += 1
    _check_groups(table, labels, list(shares))
    order = generator(seed, "split").permutation(len(units))
    order = order[np.argsort(-table[order].sum(1), kind="stable")]
    totals = table.sum(0)
    target = np.array(list(shares.values()))[:, None] * totals  # (sides, K)
    count = np.zeros_like(target)
    side_of = np.full(len(units), -1)
    for unit, side in _first_picks(table, order, len(shares)):
        side_of[unit] = side
        count[side] += table[unit]
    for unit in order:
        if side_of[unit] < 0:
            gap = (target - count) / totals  # how much of each class each side still wants
            gain = (table[unit] * (2 * gap - table[unit] / totals)).sum(1)
            side_of[unit] = int(np.argmax(gain))
            count[side_of[unit]] += table[unit]
    names = list(shares)
    return [names[side_of[unit_of[key]]] for key in keys]


def _first_picks(table: np.ndarray, order: np.ndarray, sides: int) -> list[tuple[int, int]]:
    """One small group of each class for each side but the first, rarest class first."""
    picked: list[tuple[int, int]] = []
    taken: set[int] = set()
    has = np.zeros((sides, table.shape[1]), dtype=bool)
    for label in np.argsort((table > 0).sum(0), kind="stable"):
        for side in range(1, sides):
            if not has[side, label]:
                holders = [int(u) for u in order[::-1] if table[u, label] and u not in taken]
                if len(holders) > 1 or not taken:
                    picked.append((holders[0], side))
                    taken.add(holders[0])
                    has[side] |= table[holders[0]] > 0
    return picked


def _check_groups(table: np.ndarray, labels: Sequence[str], sides: Sequence[str]) -> None:
    """Every class needs a group for every side."""
    for label, column in zip(labels, table.T, strict=True):
        groups = int((column > 0).sum())
        if groups < len(sides):
            images = int(column.sum())
            what = f"{images} images in {groups} group{'s' if groups != 1 else ''}"
            raise SplitError(
                f"class {label!r} has {what} (a group is a patient, twins or copies) but "
                f"{len(sides)} sides ({', '.join(sides)}) need one each. Add images of other "
                "patients, ask for fewer sides (--val 0) or fewer --folds"
            )


def check_sides(rows: Mapping[str, Sequence[Row]], index_path: Path) -> None:
    """Refuse an index that nothing can be learned from: it has no train or no val images."""
    for split in ("train", "val"):
        if not rows[split]:
            raise SplitError(
                f"{index_path}: has no {split} images. Split it first: brainlens split {index_path}"
            )


def record_path(index_path: Path) -> Path:
    """Where the record of an index's split lies: `index.csv` -> `index.split.json`."""
    return index_path.with_suffix(".split.json")


def write_record(record: SplitRecord, index_path: Path) -> Path:
    """Write the record beside its index."""
    return write_json(record_path(index_path), dataclasses.asdict(record))


def read_record(index: Index, index_path: Path) -> dict[str, Any]:
    """The record of the index's split; a plain note where it has none, or an outdated one."""
    path = record_path(index_path)
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {"protocol": "unknown", "note": f"no {path.name}: the split column was given"}
    if record.get("index_digest") != index.digest():
        return {"protocol": "unknown", "note": f"{path.name} is of another state of the index"}
    return record
