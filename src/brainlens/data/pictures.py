"""Owns decoded pictures: every image read once, kept on disk at training resolution.

Enters: index rows and a preprocessing. Leaves: a memory-mapped (N, size, size) uint8 array, so
that an epoch costs the network and little else, and several processes share one copy. The file's
name is the digest of what is in it: a changed image or preprocessing makes another.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from brainlens.core.files import replacing
from brainlens.core.images import open_image, to_grey
from brainlens.core.places import cache_folder
from brainlens.core.progress import track
from brainlens.data.index import Index, Row, missing_file_error
from brainlens.data.preprocess import Array, Preprocessing

_FORMAT = 1  # raise it when decoding changes


def pictures(index: Index, rows: Sequence[Row], preprocessing: Preprocessing) -> Array:
    """The rows' pictures, (N, size, size) uint8, read-only; decoded at most once.

    Raises IndexFileError where an image has moved, ImageError where one no longer reads.
    """
    path = cache_path(rows, preprocessing)
    if not path.exists():
        _decode(index, rows, preprocessing, path)
    return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]


def cache_path(rows: Sequence[Row], preprocessing: Preprocessing) -> Path:
    """The file that holds these pictures; the normalisation is not part of them."""
    shape = {"size": preprocessing.size, "fit": preprocessing.fit, "crop": preprocessing.crop}
    key = hashlib.sha256(json.dumps([_FORMAT, shape]).encode())
    for row in rows:
        key.update(row.digest.encode())
    return cache_folder() / "pictures" / f"{key.hexdigest()[:32]}.npy"


def _decode(index: Index, rows: Sequence[Row], preprocessing: Preprocessing, path: Path) -> None:
    """Decode all rows on all cores into a file that appears only when it is whole."""

    def one(row: Row) -> Array:
        file = index.file(row)
        if not file.is_file():
            raise missing_file_error(index, row)
        return preprocessing.picture(to_grey(open_image(file)))

    size = preprocessing.size
    with replacing(path) as temporary, ThreadPoolExecutor(os.cpu_count()) as pool:
        shape = (len(rows), size, size)
        array = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
        try:
            done = track(pool.map(one, rows), "decoding", len(rows))
            for i, picture in enumerate(done):
                array[i] = picture
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        array.flush()
