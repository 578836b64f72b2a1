"""Owns the note beside each file of cached features: whose features of which pictures it holds.

Two commands that look at some of the same pictures through the same frozen network (the arms of a
reproduction, training and evaluation) then compute each picture once. Enters: the network's key
and pictures' digests. Leaves: features already on disk, by digest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from brainlens.core.files import write_atomic
from brainlens.data.preprocess import Array


def note(path: Path, key: str, digests: Sequence[str]) -> None:
    """Say what the features file `path` holds: row i is of the picture `digests[i]`."""
    write_atomic(_place(path, key), json.dumps({"file": path.name, "pictures": list(digests)}))


def held(folder: Path, key: str, digests: Sequence[str]) -> dict[str, Array]:
    """The features that files of this network hold of these pictures."""
    wanted, found = set(digests), dict[str, Array]()
    for place in sorted(folder.glob(f"{key}-*.json")):
        try:
            noted = json.loads(place.read_text())
            kept = np.load(folder / noted["file"], mmap_mode="r")
        except (OSError, ValueError, KeyError, EOFError):  # the file is gone, or is no longer whole
            place.unlink(missing_ok=True)
            continue
        if kept.dtype == np.float32 and len(kept) == len(noted["pictures"]):
            found |= {d: kept[i] for i, d in enumerate(noted["pictures"]) if d in wanted}
    return found


def _place(path: Path, key: str) -> Path:
    return path.with_name(f"{key}-{path.stem}.json")
