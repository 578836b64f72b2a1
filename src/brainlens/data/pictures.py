"""Owns decoded pictures: every image read once, kept on disk at training resolution.

Enters: index rows and a preprocessing. Leaves: a memory-mapped (N, size, size) uint8 array, so
that an epoch costs the network and little else, and several processes share one copy. The file's
name is the digest of what is in it: a changed image or preprocessing makes another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from brainlens.core.errors import ImageError, IndexFileError
from brainlens.core.files import replacing
from brainlens.core.images import open_image, to_grey
from brainlens.core.places import cache_folder
from brainlens.core.processors import cores
from brainlens.core.progress import track
from brainlens.data.index import Index, Row, missing_file_error
from brainlens.data.preprocess import Array, Preprocessing

_FORMAT = 1  # raise it when decoding changes


def pictures(index: Index, rows: Sequence[Row], preprocessing: Preprocessing) -> Array:
    """The rows' pictures, (N, size, size) uint8, read-only; decoded at most once.

    Raises IndexFileError where an image has moved or changed, ImageError where none is read.
    """
    path = cache_path(rows, preprocessing)
    kept = _kept(path, (len(rows), preprocessing.size, preprocessing.size))
    if kept is None:
        _decode(index, rows, preprocessing, path)
        kept = np.load(path, mmap_mode="r")
    return kept


def _kept(path: Path, shape: tuple[int, ...]) -> Array | None:
    """What an earlier command kept; None where there is nothing, or something damaged."""
    try:
        kept: Array = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return kept if (kept.shape, kept.dtype) == (shape, np.uint8) else None


def cache_path(rows: Sequence[Row], preprocessing: Preprocessing) -> Path:
    """The file that holds these pictures; the normalisation is not part of them."""
    shape = {"size": preprocessing.size, "fit": preprocessing.fit, "crop": preprocessing.crop}
    key = hashlib.sha256(json.dumps([_FORMAT, shape]).encode())
    for row in rows:
        key.update(row.digest.encode())
    return cache_folder() / "pictures" / f"{key.hexdigest()[:32]}.npy"


def _decode(index: Index, rows: Sequence[Row], preprocessing: Preprocessing, path: Path) -> None:
    """Decode all rows on all cores into a file that appears only when it is whole."""
    size = preprocessing.size
    head = {"descr": "|u1", "fortran_order": False, "shape": (len(rows), size, size)}

    def one(row: Row) -> bytes:
        return preprocessing.picture(_read(index, row)).tobytes()

    # Plain writes: through a memory map a full disk would kill the process without a word.
    with (
        replacing(path, advice="Set BRAINLENS_CACHE to a folder you can write") as temporary,
        temporary.open("wb") as stream,
        ThreadPoolExecutor(cores()) as pool,
    ):
        np.lib.format.write_array_header_1_0(stream, head)
        try:
            for picture in track(pool.map(one, rows), "decoding", len(rows)):
                stream.write(picture)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _read(index: Index, row: Row) -> Array:
    """The grey picture of a row, if it is still the one that was indexed."""
    file = index.file(row)
    try:
        if not file.is_file():
            raise missing_file_error(index, row)
        data = file.read_bytes()
    except OSError as error:
        raise ImageError(file, error.strerror or "an error", "a readable file") from None
    if hashlib.sha256(data).hexdigest() != row.digest:
        raise IndexFileError(
            f"{file}: is not the image that was indexed: its bytes differ. Index the folder again"
        )
    return to_grey(open_image(data, name=str(file)))
