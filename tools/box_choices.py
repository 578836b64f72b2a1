"""Compares ways the model in the box could take: `python -m tools.box_choices MODEL INDEX OUT`.

Ways to tell a picture that is no brain slice (with no other check beside them), each with the limit
that leaves as much of the validation rows of INDEX in as an export does; and, for the way in use,
beside the other checks, what other limits would do: an export takes the widest with which 99 % of
the strangers are still refused. MODEL is the judged export; of one that learned from the test rows
the limits alone are told. Strangers are those of `tools.box_results`. Writes OUT (JSON), prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from brainlens.core.files import write_json
from brainlens.core.progress import track
from brainlens.core.provenance import now, versions
from brainlens.data.index import read_index
from brainlens.data.preprocess import Array
from brainlens.data.quality import flagged, measure
from brainlens.data.scans import Picture
from brainlens.deploy.classifier import FLAGS, REFUSED, Classifier
from brainlens.deploy.export import KEPT
from brainlens.metrics.novelty import distances, novelty, threshold
from brainlens.metrics.temperature import softmax
from brainlens.report.columns import aligned
from tools.box_results import learned_from, row_picture, stranger_pictures

LEVELS = (0.98, 0.985, 0.99, 0.995, 1.0)
Score = Callable[[Array, Array], Array]


class Seen(NamedTuple):
    """What N pictures look like to the model, and to the other checks."""

    logits: Array  # (N, K)
    embedding: Array  # (N, D)
    flagged: Array  # (N,) bool: refused for its looks


def main() -> None:
    """Compare and write."""
    model, index = Classifier(Path(sys.argv[1])), read_index(Path(sys.argv[2]))
    rows = {k: [r for r in index.of(k) if r.label in model.labels] for k in ("val", "test")}
    if learned_from(model, rows["test"]):
        del rows["test"]  # its figures would mean nothing
    ways = scores(model) if "test" in rows else {}
    seen = {k: _seen(model, [row_picture(index, r) for r in own], k) for k, own in rows.items()}
    strange = [p for own in stranger_pictures().values() for p in own]
    seen["strangers"] = _seen(model, strange, "strangers")
    found: dict[str, Any] = {
        "command": "python -m tools.box_choices " + " ".join(sys.argv[1:]),
        "versions": versions(), "measured": now(),
        "model": {"index": model.meaning["index"], "weights": model.meaning["weights"]},
        "pictures": {k: len(own.logits) for k, own in seen.items()},
        "kept of val": KEPT,
        "novelty": {name: _judged(score, seen) for name, score in ways.items()},
        "limits": _limits(model, seen),
    }  # fmt: skip
    write_json(Path(sys.argv[3]), found)
    if ways:
        print(aligned(_lines("score", found["novelty"])))
    print(aligned(_lines("kept of val", found["limits"])))


def scores(model: Classifier) -> dict[str, Score]:
    """Ways to say how strange a picture is, larger is stranger; the first is the one in use."""
    bank, labels = model.bank, np.array(model.bank_labels)
    means = np.stack([bank[labels == k].mean(0) for k in model.labels])
    rest = np.concatenate([bank[labels == k] - m for k, m in zip(model.labels, means, strict=True)])
    precision = np.linalg.inv(rest.T @ rest / len(rest) + 1e-6 * np.eye(rest.shape[1]))

    def mahalanobis(logits: Array, embedding: Array) -> Array:
        apart = embedding[:, None] - means
        return np.asarray(np.einsum("nkd,de,nke->nk", apart, precision, apart).min(1))

    return {
        "5 nearest neighbours": lambda logits, embedding: novelty(distances(embedding, bank)),
        "nearest neighbour": lambda logits, embedding: novelty(distances(embedding, bank), 1),
        "Mahalanobis": mahalanobis,
        # The head answers log-probabilities, whose energy is always 0: confidence stands in.
        "1 - confidence": lambda logits, embedding: 1 - softmax(logits).max(1),
    }


def _seen(model: Classifier, shown: Sequence[Picture], name: str) -> Seen:
    parts = []
    starts = range(0, len(shown), 64)
    for start in track(starts, f"looking at {name}", len(starts)):
        some = shown[start : start + 64]
        logits, _, embedding = model.run(
            np.stack([model.preprocessing.picture(one.grey) for one in some])
        )
        looks = [flagged(measure(one.grey, colour=one.colour, names=FLAGS)) for one in some]
        parts.append((logits, embedding, [bool(REFUSED.keys() & found) for found in looks]))
    return Seen(*map(np.concatenate, zip(*parts, strict=True)))


def _judged(score: Score, seen: dict[str, Seen]) -> dict[str, float]:
    """How well strangers are told from unseen patients, and what the limit set on val does."""
    values = {name: score(own.logits, own.embedding) for name, own in seen.items()}
    limit = threshold(values["val"], KEPT)
    both = np.concatenate([values["test"], values["strangers"]])
    strange = np.arange(len(both)) >= len(values["test"])
    return {
        "AUROC": float(roc_auc_score(strange, both)),
        "strangers refused": float((values["strangers"] > limit).mean()),
        "unseen patients refused": float((values["test"] > limit).mean()),
    }


def _limits(model: Classifier, seen: dict[str, Seen]) -> dict[str, dict[str, float]]:
    """Shares refused for either reason, by the share of validation that the limit keeps."""
    values = {k: novelty(distances(own.embedding, model.bank)) for k, own in seen.items()}
    names = {"strangers": "strangers refused", "val": "validation refused",
             "test": "unseen patients refused"}  # fmt: skip
    told = {}
    for kept in LEVELS:
        limit = threshold(values["val"], kept)
        told[f"{kept:g}"] = {
            names[k]: float(((values[k] > limit) | own.flagged).mean()) for k, own in seen.items()
        }
    return told


def _lines(first: str, told: dict[str, dict[str, Any]]) -> list[list[str]]:
    """A table of ways by their figures."""
    names = next(iter(told.values())).keys()
    head = [first, *(name if name == "AUROC" else f"{name} %" for name in names)]
    rows = [
        [way, *(f"{v:.4f}" if name == "AUROC" else f"{100 * v:.1f}" for name, v in own.items())]
        for way, own in told.items()
    ]
    return [head, *rows]


if __name__ == "__main__":
    main()
