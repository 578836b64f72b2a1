"""What an audit costs beside merely decoding its images: cold, again, and with 100 images more.

Needs the shared scans ($BRAINLENS_SHARED). Decoding and auditing take turns in one process on all
the cores it may use; their seconds of processor are compared, which a busy machine does not
distort, and those of the clock are told. The commands are whole processes.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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
MORE = 100  # images added to an audited index


def measure(quick: bool) -> Rows:
    """Seconds and ratios; quick: of 51 images of one set."""
    shared = shared_folder()
    if shared is None:
        return [{"what": "left out: no shared scans (BRAINLENS_SHARED)"}]
    root = shared / "data" / "mri"
    rows = index_folders([root / "navoneel" if quick else root], label_map={}).rows
    index = Index(rows[::5] if quick else rows, Path("/"))
    return [
        *_cold(index, 1 if quick else 3),
        *_parts(index),
        *_commands(index, 5 if quick else MORE),
    ]


def _cold(index: Index, rounds: int) -> Rows:
    """The audit with an empty cache against decoding, in turn."""
    decoded, audited = [], []
    sets = known_sets()
    for _ in range(rounds):
        decoded.append(_spent(lambda: _decode(index)))
        with tempfile.TemporaryDirectory() as cache:
            os.environ["BRAINLENS_CACHE"] = cache
            audited.append(_spent(lambda: audit_index(index, known=sets)))
    decoded.append(_spent(lambda: _decode(index)))
    ours, clock = (statistics.median(column) for column in zip(*audited, strict=True))
    base, base_clock = (statistics.median(column) for column in zip(*decoded, strict=True))
    n = len(index.rows)
    return [
        _row(f"{n:,} images audited from cold against decoded, processor", ours, base, 1.5),
        _row(f"the same by the clock, {cores()} cores", clock, base_clock, 1.5),
    ]


def _parts(index: Index) -> Rows:
    """Where the time of an audit goes, against decoding."""
    base, _ = _spent(lambda: _decode(index))
    with tempfile.TemporaryDirectory() as cache:
        os.environ["BRAINLENS_CACHE"] = cache
        held: dict[str, Any] = {}
        spent = {
            "decoding, measuring, describing": _spent(lambda: held.update(a=look_at(index)))[0]
        }
        spent["reading it all from the cache"] = _spent(lambda: look_at(index))[0]
    looks, place = held["a"]
    first = {row.pixel_digest: k for row, k in zip(index.rows, place, strict=True)}
    described = looks.descriptors.take(list(first.values()))
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
    return [_row(f"of it: {name}", ours, base, None) for name, ours in spent.items()]


def _commands(index: Index, more: int) -> Rows:
    """`brainlens audit` as a process: cold, again, and with more images."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_index(index.rows[:-more], Path("/"), place / "index.csv")
        write_index(index.rows, Path("/"), place / "more.csv")
        seconds = [_command(place, name) for name in ("index.csv", "index.csv", "more.csv")]
    cold, again, added = seconds
    unit = {"unit": "s", "baseline": cold}
    what = f"brainlens audit, {len(index.rows) - more:,} images"
    return [
        {"what": f"{what}, again, against cold", "ours": again, "ratio": again / cold, **unit},
        {"what": f"{what}, with {more} more", "ours": added, "ratio": added / cold, **unit,
         "wanted": "seconds"},
    ]  # fmt: skip


def _command(folder: Path, name: str) -> float:
    """Seconds by the clock of one audit, its cache in the folder."""
    environment = os.environ | {"BRAINLENS_CACHE": str(folder / "cache")}
    words = [sys.executable, "-m", "brainlens.cli", "audit", name, "-o", "audit", "--overwrite"]
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True, cwd=folder, env=environment)
    return time.perf_counter() - start


def _decode(index: Index) -> None:
    """Decode every file, on all cores; nothing is kept."""
    files = [index.file(row) for row in index.rows]
    if cores() == 1:
        for file in files:
            read_grey(file)
        return
    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(read_grey, files):
            pass


def _spent(do: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of processor, children included, and of the clock."""
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
