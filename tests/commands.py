"""Runs commands of the documents, each in a process of its own that has its imports already."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_LOADED = ["brainlens.cli", "lightning.pytorch", "sklearn.metrics", "timm", "scipy.stats"]


def run(
    words: Sequence[str], folder: Path, environment: Mapping[str, str] = os.environ
) -> tuple[int, str]:
    """The exit code of `brainlens WORDS` in `folder`, and what it said on both streams.

    As a program of its own would do, minus the seconds in which it loads torch: the process is
    forked from one that has loaded it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    said = folder / ".said"
    process = context.Process(target=_command, args=(list(words), folder, dict(environment), said))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode, said.read_text("utf-8", "replace")


def _command(words: list[str], folder: Path, environment: dict[str, str], said: Path) -> None:
    with said.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["brainlens", *words]
    from brainlens.cli import main

    main()
