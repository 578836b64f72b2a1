"""What an audit costs beside merely decoding its images: cold, again, and with 100 images more.

Needs the shared scans ($BRAINLENS_SHARED). Merely decoding is a loop over the files that makes each
a grey array and keeps none: with Pillow, as a user would write it; with our own reader in one
process; or that dealt over as many processes as the audit starts. Loops and audits take turns.
Seconds of processor, which a busy machine distorts less, are compared with the loops in one
process, those of the clock with all. The commands are whole processes, imports, cache and page
included.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from brainlens.core.images import read_grey
from brainlens.core.places import shared_folder
from brainlens.core.processors import cores
from brainlens.data.audit import audit_index
from brainlens.data.index import Index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.known_sets import known_sets, recognise
from brainlens.data.looks import look_at
from brainlens.data.shortcut import facts_of_row, shortcut
from brainlens.data.twins import find_twins

Rows = list[dict[str, Any]]
Spent = tuple[float, float]  # seconds of processor, children included, and of the clock
Loops = dict[str, Spent]  # by the words that name them
OWN = "a loop of our reader"
MORE = 100  # images added to an audited index
WANTED = 1.5


def measure(quick: bool) -> Rows:
    """Seconds and ratios; quick: of 51 images of one set."""
    shared = shared_folder()
    if shared is None:
        return [{"what": "left out: no shared scans (BRAINLENS_SHARED)"}]
    root = shared / "data" / "mri"
    rows = index_folders([root / "navoneel" if quick else root], label_map={}).rows
    index = Index(rows[::5] if quick else rows, Path("/"))
    loops, cold = _cold(index, 1 if quick else 3)
    return [*cold, *_parts(index, loops), *_commands(index, 5 if quick else MORE, loops)]


def _cold(index: Index, rounds: int) -> tuple[Loops, Rows]:
    """Looking and the whole audit with an empty cache, in turn with the loops; those, and rows."""
    sets = known_sets()
    many = f"{cores()} processes of our reader"
    decoding: dict[str, Callable[[], Any]] = {
        "a Pillow loop": lambda: _decode_with_pillow(index),
        OWN: lambda: _decode(index),
        many: lambda: _decode_in_processes(index),
    }
    auditing: dict[str, Callable[[], Any]] = {
        "looked at": lambda: look_at(index),
        "audited": lambda: audit_index(index, known=sets),
    }
    spent: dict[str, list[Spent]] = {name: [] for name in decoding | auditing}
    for _ in range(rounds):
        for name, task in (decoding | auditing).items():
            with tempfile.TemporaryDirectory() as cache:
                os.environ["BRAINLENS_CACHE"] = cache
                spent[name].append(_spent(task))
    middle = {name: _median(found) for name, found in spent.items()}
    loops = {name: middle[name] for name in decoding}
    rows = []
    for name in auditing:
        what = f"{len(index.rows):,} images {name} from cold"
        for loop, (processor, clock) in loops.items():
            rows.append(_row(f"{what}, clock, against {loop}", middle[name][1], clock, WANTED))
            if loop != many:
                rows.append(
                    _row(f"{what}, processor, against {loop}", middle[name][0], processor, WANTED)
                )
    return loops, rows


def _median(spent: list[Spent]) -> Spent:
    processor, clock = (statistics.median(column) for column in zip(*spent, strict=True))
    return processor, clock


def _parts(index: Index, loops: Loops) -> Rows:
    """Where the time of an audit goes, in seconds of processor, against a loop of our reader."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["BRAINLENS_CACHE"] = cache
        held: dict[str, Any] = {}
        spent = {
            "decoding, measuring, describing": _spent(lambda: held.update(a=look_at(index)))[0]
        }
        spent["reading it all from the cache"] = _spent(lambda: look_at(index))[0]
    looks, place = held["a"]
    first = {row.pixel_digest: k for row, k in zip(index.rows, place, strict=True)}
    described = looks.descriptors.take(np.array(list(first.values())))
    spent["finding twins"] = _spent(lambda: find_twins(described))[0]
    sets = known_sets()
    strange = [f"{k:064x}" for k in range(len(first))]  # as if no picture were known by its digest
    spent["known sets, by digest"] = _spent(
        lambda: recognise(index.rows, list(first), described, sets)
    )[0]
    spent["known sets, by descriptor"] = _spent(
        lambda: recognise(index.rows, strange, described, sets)
    )[0]
    facts = [facts_of_row(r) | f for r, f in zip(index.rows, looks.facts(place), strict=True)]
    labels = [row.label for row in index.rows]
    groups = [row.group for row in index.rows]
    spent["shortcut check"] = _spent(lambda: shortcut(facts, labels, groups))[0]
    return [_row(f"of it: {name}", ours, loops[OWN][0], None) for name, ours in spent.items()]


def _commands(index: Index, more: int, loops: Loops) -> Rows:
    """`brainlens audit` as a process: cold, again, and with more images."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_index(index.rows[:-more], Path("/"), place / "index.csv")
        write_index(index.rows, Path("/"), place / "more.csv")
        cold, again, added = (
            _command(place, name) for name in ("index.csv", "index.csv", "more.csv")
        )
    what = f"brainlens audit, {len(index.rows) - more:,} images"
    return [
        *(_row(f"{what}, against {name}", cold, spent[1], WANTED) for name, spent in loops.items()),
        _row(f"{what}, again, against cold", again, cold, None),
        _row(f"{what}, with {more} more, against cold", added, cold, None) | {"wanted": "seconds"},
    ]


def _command(folder: Path, name: str) -> float:
    """Seconds by the clock of one audit, its cache in the folder."""
    environment = os.environ | {"BRAINLENS_CACHE": str(folder / "cache")}
    words = [sys.executable, "-m", "brainlens.cli", "audit", name, "-o", "audit", "--overwrite"]
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True, cwd=folder, env=environment)
    return time.perf_counter() - start


def _decode_with_pillow(index: Index) -> None:
    """Decode every file as a user's script does."""
    for row in index.rows:
        with Image.open(index.file(row)) as image:
            np.asarray(ImageOps.exif_transpose(image).convert("L"))


def _decode(index: Index) -> None:
    """Decode every file with our reader; nothing is kept."""
    _read([index.file(row) for row in index.rows])


def _decode_in_processes(index: Index) -> None:
    """The same, dealt over as many processes as the audit starts, in the same way."""
    files = [index.file(row) for row in index.rows]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores(), spawn) as pool:
        for _ in pool.map(_read, [files[at : at + 64] for at in range(0, len(files), 64)]):
            pass


def _read(files: list[Path]) -> None:
    for file in files:
        read_grey(file)


def _spent(do: Callable[[], Any]) -> Spent:
    """What a task spends."""
    before, start = _processor(), time.perf_counter()
    do()
    return _processor() - before, time.perf_counter() - start


def _processor() -> float:
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _row(what: str, ours: float, baseline: float, wanted: float | None) -> dict[str, Any]:
    row = {"what": what, "ours": ours, "baseline": baseline, "unit": "s", "ratio": ours / baseline}
    return row | ({"wanted": f"ratio <= {wanted}"} if wanted else {})
