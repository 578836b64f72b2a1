"""A kept look is of the code that is installed now, or it is no look."""

from __future__ import annotations

import subprocess
import sys

from brainlens.data import look_store

# What looking loads besides: none of these decides what is seen.
ELSEWHERE = {
    "brainlens.core", "brainlens.core.errors", "brainlens.core.files", "brainlens.core.seeding",
    "brainlens.data", "brainlens.data.forest", "brainlens.data.index",
}  # fmt: skip


def test_every_module_that_makes_a_look_makes_the_cache_stale() -> None:
    script = "import sys, brainlens.data.looks; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    loaded = {name for name in done.stdout.split() if name.startswith("brainlens.")}
    assert loaded - ELSEWHERE == set(look_store._MADE_BY)
