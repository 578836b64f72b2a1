"""Owns the pictures that the page shows: in memory for a while, on the disk only if asked to.

What is kept of a plane is what a window can be laid over, at the page's size. `--keep-images` keeps
them in `images/READING/NUMBER.npz` below the server's folder.
"""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from brainlens.core.files import replacing
from brainlens.deploy.service.planes import Plane, shown

Array = np.ndarray[Any, Any]


class Held(NamedTuple):
    """One picture."""

    values: Array
    shown: dict[str, Any]


class Album:
    """Pictures by reading and number."""

    def __init__(self, most: int, folder: Path | None) -> None:
        """At most so many bytes in memory; a folder only where pictures are to be kept."""
        self._most, self._folder = most, folder
        self._held: OrderedDict[str, list[Held]] = OrderedDict()
        self._headers: dict[str, list[bytes]] = {}  # never kept on the disk: they name patients
        self._size = 0
        self._lock = threading.Lock()

    def keep(self, reading: str, planes: Sequence[Plane]) -> None:
        """Hold the pictures of a reading; the oldest ones make room."""
        held = [Held(plane.values, shown(plane)) for plane in planes]
        if self._folder is not None:
            for number, one in enumerate(held):
                path = self._folder / reading / f"{number}.npz"
                with replacing(path) as temporary, temporary.open("wb") as stream:
                    np.savez_compressed(stream, values=one.values, shown=json.dumps(one.shown))
        with self._lock:
            self._held[reading] = held
            self._headers[reading] = [plane.header for plane in planes]
            self._size += self._bytes(reading)
            while self._size > self._most and len(self._held) > 1:
                self._forget(next(iter(self._held)))

    def headers(self, reading: str) -> list[bytes] | None:
        """The headers of a reading's files; None where they are not held any more."""
        with self._lock:
            return self._headers.get(reading)

    def _forget(self, reading: str) -> None:
        self._size -= self._bytes(reading)
        del self._held[reading], self._headers[reading]

    def _bytes(self, reading: str) -> int:
        headers = {id(one): len(one) for one in self._headers[reading]}
        return sum(one.values.nbytes for one in self._held[reading]) + sum(headers.values())

    def values(self, reading: str, number: int) -> Array | None:
        """What a window is laid over; None where it is not held any more."""
        held = self._found(reading, number)
        return held.values if held else None

    def picture(self, reading: str, number: int, side: int = 0) -> bytes | None:
        """A PNG through its own window, at most `side` pixels a side where one is given."""
        held = self._found(reading, number)
        return _png(held, side) if held else None

    def _found(self, reading: str, number: int) -> Held | None:
        """`reading` looks like a reading's name: it leads to no other folder."""
        with self._lock:
            held = self._held.get(reading)
            if held is not None:
                self._held.move_to_end(reading)
                return held[number] if number < len(held) else None
        if self._folder is None:
            return None
        try:
            with np.load(self._folder / reading / f"{number}.npz") as kept:
                return Held(np.asarray(kept["values"]), json.loads(str(kept["shown"])))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None


def _png(held: Held, side: int) -> bytes:
    largest = 255 if held.values.dtype == np.uint8 else 65535
    low, high, inverted = (held.shown[name] for name in ("low", "high", "inverted"))
    black, white = held.shown["window"]
    scaled = low + held.values.astype(np.float32) * ((high - low) / largest)
    grey = np.clip((scaled - black) * (255 / ((white - black) or 1)), 0, 255)
    image = Image.fromarray(np.rint(255 - grey if inverted else grey).astype(np.uint8))
    if side:
        image.thumbnail((side, side))
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
