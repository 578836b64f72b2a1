"""Runs commands in processes that have their imports already; a small sample for them."""

from __future__ import annotations

import csv
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from brainlens.data.sample import copy_to

_LOADED = ["brainlens.cli", "lightning.pytorch", "sklearn.metrics", "timm", "scipy.stats"]
_SAID = ".said"


def run(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] = os.environ,
    before: Callable[[], object] | None = None,
) -> tuple[int, str]:
    """The exit code of `brainlens WORDS` in `folder`, and what it said on both streams.

    As a program of its own would do, minus the seconds in which it loads torch: the process is
    forked from one that has loaded it. `before` is called in it first.
    """
    process = start(words, folder, environment, before)
    process.join()
    assert process.exitcode is not None
    return process.exitcode, said(folder)


def start(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] = os.environ,
    before: Callable[[], object] | None = None,
) -> BaseProcess:
    """The process of such a command, running; `said` answers what it said so far."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    arguments = (list(words), folder, dict(environment), before)
    process = context.Process(target=_command, args=arguments)
    process.start()
    return process


def said(folder: Path) -> str:
    """What the last command of a folder said."""
    return (folder / _SAID).read_text("utf-8", "replace")


def _command(
    words: list[str],
    folder: Path,
    environment: dict[str, str],
    before: Callable[[], object] | None,
) -> None:
    with (folder / _SAID).open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["brainlens", *words]
    if before is not None:
        before()
    from brainlens.cli import main

    main()


def small_sample(folder: Path) -> Path:
    """The embedded sample with every third patient of a class, for commands that need no more."""
    copy_to(folder)
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    kept = set[str]()
    for label in {row["label"] for row in rows}:
        kept.update(sorted({row["patient"] for row in rows if row["label"] == label})[::3])
    left = [row for row in rows if row["patient"] in kept]
    for row in rows:
        if row["patient"] not in kept:
            (folder / row["file"]).unlink()
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(left)
    return folder
