"""Owns answers for single files: what is asked (files), and what a model says of each.

Shared by the predictor that runs a training run and the one that runs an export: files are read
and answers are made in the same way, so that only the arithmetic between differs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainlens.core.errors import ImageError, UserError
from brainlens.core.images import find_images, read_grey
from brainlens.core.progress import track
from brainlens.data.preprocess import Array, Preprocessing

CHUNK = 256  # files read and answered at once


@dataclass(frozen=True)
class Answer:
    """What the model says of one file."""

    path: str
    predicted: str
    confidence: float  # the probability of `predicted`
    probabilities: dict[str, float]  # by label; they sum to 1
    candidates: tuple[str, ...] = ()  # the conformal set, where one was asked for


def find_inputs(inputs: Sequence[Path]) -> list[Path]:
    """Files as given, folders as the images below them."""
    files: list[Path] = []
    for entry in inputs:
        found = find_images(entry) if entry.is_dir() else [entry]
        if not found:
            raise UserError(f"{entry}: holds no image. Give a file, or a folder with images")
        files += found
    return files


def answer_files(
    files: Sequence[Path],
    preprocessing: Preprocessing,
    labels: Sequence[str],
    probabilities: Callable[[Array], Array],
) -> tuple[list[Answer], list[ImageError]]:
    """Answers in the order of the files, and the errors of those that cannot be read.

    `probabilities` makes (n, K) of (n, size, size) uint8 pictures; it is called with some hundreds
    at a time, so that memory does not grow with the files. Raises ImageError where none is read.
    """
    found: list[Answer] = []
    unreadable: list[ImageError] = []
    for start in track(range(0, len(files), CHUNK), "classifying", -(-len(files) // CHUNK)):
        readable, pictures = [], []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = pool.map(lambda f: _read(f, preprocessing), files[start : start + CHUNK])
        for file, result in zip(files[start : start + CHUNK], results, strict=True):
            if isinstance(result, ImageError):
                unreadable.append(result)
            else:
                readable.append(file)
                pictures.append(result)
        if readable:
            found += _answers(readable, probabilities(np.stack(pictures)), labels)
    if not found:
        raise unreadable[0]
    return found, unreadable


def _read(file: Path, preprocessing: Preprocessing) -> Array | ImageError:
    try:
        return preprocessing.picture(read_grey(file))
    except ImageError as error:
        return error


def _answers(files: Sequence[Path], table: Array, labels: Sequence[str]) -> list[Answer]:
    """One answer a file from (N, K) probabilities."""
    found = []
    for file, p in zip(files, table, strict=True):
        best = int(np.argmax(p))
        named = dict(zip(labels, map(float, p), strict=True))
        found.append(Answer(str(file), labels[best], float(p[best]), named))
    return found
