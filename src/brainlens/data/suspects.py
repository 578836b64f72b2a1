"""Owns the suspects among an index's labels: images whose label unseen predictions contradict.

Enters: an index, and evaluations whose predictions are out of fold: each from a run that saw
neither the image nor its group. Leaves: candidates for a human eye, most suspect first, and how
many images could be judged. Images that a run had seen are left out: it would only repeat them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainlens.core.errors import UserError
from brainlens.data.index import Index
from brainlens.data.labelerrors import label_error_candidates
from brainlens.data.predictions import read_predictions


@dataclass(frozen=True)
class Suspect:
    """An image whose label may be wrong."""

    path: str
    label: str
    guess: str  # the class that the predictions are confident of
    margin: float  # 0 (surely wrong) to 0.5


@dataclass(frozen=True)
class Suspects:
    """What unseen predictions say of the labels of an index."""

    judged: int  # images with an unseen prediction
    images: int
    found: tuple[Suspect, ...]


def find_suspects(index: Index, evaluations: Sequence[Path]) -> Suspects:
    """Confident-learning candidates among the images that these evaluations judged unseen.

    An image judged by several has the mean of their probabilities. Raises UserError where they
    judge other classes than each other or than the index has, or none of its images.
    """
    tables = [read_predictions(folder / "predictions.csv") for folder in evaluations]
    labels = tables[0].labels
    unseen: defaultdict[str, list[np.ndarray]] = defaultdict(list)
    for folder, table in zip(evaluations, tables, strict=True):
        if table.labels != labels:
            raise UserError(
                f"{folder}: judges {', '.join(table.labels)}, but {evaluations[0]} judges "
                f"{', '.join(labels)}. Give evaluations of the same classes"
            )
        for digest, p, leak in zip(table.digests, table.probabilities, table.leaks, strict=True):
            if not leak:
                unseen[digest].append(p)
    rows = [row for row in index.rows if row.digest in unseen]
    strange = sorted({row.label for row in rows} - set(labels))
    if not rows or strange:
        got = f"class {strange[0]!r} of the index" if strange else "any image of the index"
        raise UserError(
            f"{evaluations[0]}: does not judge {got} unseen. Evaluate runs of this index: "
            "brainlens split INDEX --protocol folds, train, evaluate"
        )
    p = np.array([np.mean(unseen[row.digest], 0) for row in rows])
    found = label_error_candidates(
        p / p.sum(1, keepdims=True), [labels.index(r.label) for r in rows]
    )
    return Suspects(
        judged=len(rows),
        images=len(index.rows),
        found=tuple(
            Suspect(rows[c.item].path, labels[c.given], labels[c.guess], round(c.margin, 6))
            for c in found
        ),
    )
