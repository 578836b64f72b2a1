"""Owns what one look at an image file leaves: decoded once, for index, twins and quality alike.

Enters: paths. Leaves: of each file what it is, its quality measures, what the shortcut check may
know, and its descriptor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from brainlens.core.errors import ImageError
from brainlens.core.images import open_image, to_grey
from brainlens.data.descriptor import Array, Descriptors, describe, frame_of
from brainlens.data.descriptor import join as join_descriptors
from brainlens.data.measures import View, colourfulness, view
from brainlens.data.quality import CHECKS
from brainlens.data.shortcut import facts_of_view

FACTS = ("border", "mean", "std")  # of the shortcut check, what only the picture tells
COLUMNS = len(CHECKS) + len(FACTS)


class Identity(NamedTuple):
    """Which picture a file holds, as an index says it."""

    digest: str  # SHA-256 of the file
    pixel_digest: str  # SHA-256 of the shape and the grey pixels
    width: int  # pixels, upright
    height: int
    mode: str  # Pillow's


@dataclass(frozen=True)
class Looks:
    """What was seen of K distinct files."""

    measured: Array  # (K, COLUMNS) float64, as CHECKS, then as FACTS; nan: does not apply
    descriptors: Descriptors  # (K)

    def __len__(self) -> int:
        return len(self.measured)

    def measures(self, numbers: Sequence[int]) -> list[dict[str, float]]:
        """The quality measures of some looks, by flag."""
        values = self.measured.tolist()
        return [dict(zip(CHECKS, values[k], strict=False)) for k in numbers]

    def facts(self, numbers: Sequence[int]) -> list[dict[str, float]]:
        """What the shortcut check may know of some looks."""
        values = self.measured[:, len(CHECKS) :].tolist()
        return [dict(zip(FACTS, values[k], strict=True)) for k in numbers]


class Looked(NamedTuple):
    """A look at some files: what each is or why it cannot be read, and what was seen of them."""

    files: list[Identity | ImageError]
    looks: Looks  # (K) of those that can be read, in their order

    @property
    def read(self) -> list[Identity]:
        """(K) the files that `looks` are of."""
        return [one for one in self.files if isinstance(one, Identity)]


def look(paths: Sequence[str]) -> Looked:
    """Look at some files, one after the other."""
    files: list[Identity | ImageError] = []
    frames, views = list[Array](), list[View]()
    for path in paths:
        try:
            identity, grey, colour = _read(path)
        except ImageError as error:
            files.append(error)
            continue
        files.append(identity)
        frames.append(frame_of(grey))
        views.append(view(grey, width=identity.width, height=identity.height, colour=colour))
    if not views:
        return Looked(files, join([]))
    facts = [facts_of_view(seen) for seen in views]
    columns = [check.measure(views) for check in CHECKS.values()]
    columns += [np.array([own[name] for own in facts], np.float64) for name in FACTS]
    return Looked(files, Looks(np.stack(columns, 1), describe(frames)))


def join(parts: Sequence[Looks]) -> Looks:
    """Looks one after the other."""
    if len(parts) == 1:
        return parts[0]
    parts = parts or [Looks(np.empty((0, COLUMNS)), describe([]))]
    return Looks(
        np.concatenate([part.measured for part in parts]),
        join_descriptors([part.descriptors for part in parts]),
    )


def bytes_of(path: str) -> bytes:
    """A file's bytes; raises ImageError where it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError as error:
        raise ImageError(path, error.strerror or "an error", "a readable file") from None


def _read(path: str) -> tuple[Identity, Array, float]:
    """What a file is, its grey picture, and how coloured it is."""
    data = bytes_of(path)
    image = open_image(data, name=path)
    grey = to_grey(image)
    pixels = hashlib.sha256(f"{grey.shape}".encode() + grey.tobytes())
    digest = hashlib.sha256(data).hexdigest()
    identity = Identity(digest, pixels.hexdigest(), image.width, image.height, image.mode)
    return identity, grey, colourfulness(image)
