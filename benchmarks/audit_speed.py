"""What index and audit cost beside merely decoding the images: from cold, again, and with more.

Needs the shared scans ($BRAINLENS_SHARED). Merely decoding is a Pillow loop over the files, as a
user would write it, that makes each a grey array and keeps none: in one process, or dealt over as
many as a look starts. `index` looks at every file, and `audit` after it at none; an audit of an
index that was made elsewhere looks itself. The commands are whole processes, imports, cache and
page included, and so is the script that they are held against; the loop alone, without the script's
start, stands beside it.
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

from brainlens.core.places import shared_folder
from brainlens.core.processors import cores
from brainlens.data.index import Index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.known_sets import known_sets, recognise
from brainlens.data.looking import look_at
from brainlens.data.shortcut import facts_of_row, shortcut
from brainlens.data.twins import find_twins

Rows = list[dict[str, Any]]
Spent = tuple[float, float]  # seconds of processor, children included, and of the clock
Loops = dict[str, Spent]  # by the words that name them
LOOP = "a Pillow loop"
SCRIPT = "a script with a Pillow loop"
_SCRIPT = """
import sys
import numpy as np
from PIL import Image, ImageOps
for file in sys.stdin.read().splitlines():
    with Image.open(file) as image:
        np.asarray(ImageOps.exif_transpose(image).convert("L"))
"""
MORE = 100  # images added to an audited index
WANTED = 1.5


def measure(quick: bool) -> Rows:
    """Seconds and ratios; quick: of one set."""
    shared = shared_folder()
    if shared is None:
        return [{"what": "left out: no shared scans (BRAINLENS_SHARED)"}]
    root = shared / "data" / "mri"
    root = root / "navoneel" if quick else root
    rounds = 1 if quick else 3
    index = Index(index_folders([root], label_map={}).rows, Path("/"))
    loops, cold = _cold(index, rounds)
    return [*_commands(root, index, 5 if quick else MORE, loops, rounds), *cold,
            *_parts(index, loops)]  # fmt: skip


def _cold(index: Index, rounds: int) -> tuple[Loops, Rows]:
    """Looking with an empty cache, in turn with the loops; those, and rows."""
    many = f"{cores()} processes of it"
    decoding: dict[str, Callable[[], Any]] = {
        LOOP: lambda: _decode_with_pillow(index),
        many: lambda: _decode_in_processes(index),
    }
    tasks: dict[str, Callable[[], Any]] = decoding | {"looked at": lambda: look_at(index)}
    spent: dict[str, list[Spent]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            with tempfile.TemporaryDirectory() as cache:
                os.environ["BRAINLENS_CACHE"] = cache
                spent[name].append(_spent(task))
    middle = {name: _median(found) for name, found in spent.items()}
    loops = {name: middle[name] for name in decoding}
    (own, clock), (one, alone) = middle["looked at"], loops[LOOP]
    what = f"{len(index.rows):,} images looked at from cold"
    return loops, [
        _row(f"{what}, processor, against {LOOP}", own, one, None),
        _row(f"{what}, clock, against {LOOP}", clock, alone, None),
        _row(f"{what}, clock, against {many}", clock, loops[many][1], None),
    ]


def _median(spent: list[Spent]) -> Spent:
    processor, clock = (statistics.median(column) for column in zip(*spent, strict=True))
    return processor, clock


def _parts(index: Index, loops: Loops) -> Rows:
    """Where the time of an audit goes, in seconds of processor, against a Pillow loop."""
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
    return [_row(f"of it: {name}", ours, loops[LOOP][0], None) for name, ours in spent.items()]


def _commands(root: Path, index: Index, more: int, loops: Loops, rounds: int) -> Rows:
    """`brainlens index` and `audit` as processes, by the clock, against the loops."""
    names = (SCRIPT, "index", "audit", "index again", "audit again", "elsewhere", "more")
    files = "\n".join(str(index.file(row)) for row in index.rows)
    spent: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            spent[SCRIPT].append(_process(place, [sys.executable, "-c", _SCRIPT], files))
            for again in ("", " again"):
                made = _command(place, "cache", "index", str(root), "-o", "all.csv")
                spent[f"index{again}"].append(made)
                spent[f"audit{again}"].append(_command(place, "cache", "audit", "all.csv"))
            write_index(index.rows[:-more], Path("/"), place / "part.csv")
            spent["elsewhere"].append(_command(place, "other", "audit", "part.csv"))
            spent["more"].append(_command(place, "other", "audit", "all.csv"))
    middle = {name: statistics.median(found) for name, found in spent.items()}
    clocks = {SCRIPT: middle[SCRIPT]} | {name: clock for name, (_, clock) in loops.items()}
    what = f"{len(index.rows):,} images"
    both = middle["index"] + middle["audit"]
    rows = []
    for name, clock in clocks.items():
        rows += [
            _row(f"brainlens audit, {what}, against {name}", middle["audit"], clock,
                 WANTED if name == SCRIPT else None),
            _row(f"brainlens index, {what}, against {name}", middle["index"], clock, None),
            _row(f"index and audit together, against {name}", both, clock, None),
        ]  # fmt: skip
    elsewhere = f"brainlens audit of an index made elsewhere, {len(index.rows) - more:,} images"
    return [
        *rows,
        _row(f"{elsewhere}, against {SCRIPT}", middle["elsewhere"], clocks[SCRIPT], None),
        _row("brainlens index again, against before", middle["index again"], middle["index"], None),
        _row("brainlens audit again, against before", middle["audit again"], middle["audit"], None),
        _row(f"brainlens audit, {more} images more, against an audit of the rest from cold",
             middle["more"], middle["elsewhere"], None) | {"wanted": "seconds"},
    ]  # fmt: skip


def _command(folder: Path, cache: str, *words: str) -> float:
    """Seconds by the clock of one command, its cache in the folder."""
    whole = [sys.executable, "-m", "brainlens.cli", *words, "--overwrite"]
    return _process(folder, whole, BRAINLENS_CACHE=str(folder / cache))


def _process(folder: Path, words: list[str], told: str = "", **more: str) -> float:
    """Seconds by the clock of a process in the folder, told something and with more environment."""
    start = time.perf_counter()
    subprocess.run(
        words, check=True, capture_output=True, cwd=folder, env=os.environ | more, input=told,
        text=True,
    )  # fmt: skip
    return time.perf_counter() - start


def _decode_with_pillow(index: Index) -> None:
    """Decode every file as a user's script does; nothing is kept."""
    _read([index.file(row) for row in index.rows])


def _decode_in_processes(index: Index) -> None:
    """The same, dealt over as many processes as a look starts, in the same way."""
    files = [index.file(row) for row in index.rows]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores(), spawn) as pool:
        for _ in pool.map(_read, [files[at : at + 64] for at in range(0, len(files), 64)]):
            pass


def _read(files: list[Path]) -> None:
    for file in files:
        with Image.open(file) as image:
            np.asarray(ImageOps.exif_transpose(image).convert("L"))


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
