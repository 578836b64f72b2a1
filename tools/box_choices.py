"""Compares ways the model in the box could take: `python -m tools.box_choices MODEL INDEX OUT`.

Ways to tell a picture that is no brain slice (with no other check beside them), each with the limit
that leaves 98 % of the validation rows of INDEX in. MODEL is the judged export; strangers are those
of `tools.box_results`. Writes OUT (JSON) and prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from brainlens.core.files import write_json
from brainlens.core.images import read_grey
from brainlens.core.progress import track
from brainlens.core.provenance import now, versions
from brainlens.data.index import read_index
from brainlens.data.preprocess import Array
from brainlens.deploy.classifier import Classifier
from brainlens.metrics.novelty import distances, novelty, threshold
from brainlens.metrics.temperature import softmax
from brainlens.report.columns import aligned
from tools.box_results import stranger_pictures

KEPT = 0.98
Seen = tuple[Array, Array]  # logits, embedding
Score = Callable[[Array, Array], Array]


def main() -> None:
    """Compare and write."""
    model, index = Classifier(Path(sys.argv[1])), read_index(Path(sys.argv[2]))
    rows = {k: [r for r in index.of(k) if r.label in model.labels] for k in ("val", "test")}
    seen = {k: _seen(model, [read_grey(index.file(r)) for r in own], k) for k, own in rows.items()}
    strange = [p.grey for own in stranger_pictures().values() for p in own]
    seen["strangers"] = _seen(model, strange, "strangers")
    found: dict[str, Any] = {
        "command": "python -m tools.box_choices " + " ".join(sys.argv[1:]),
        "versions": versions(), "measured": now(),
        "model": {"index": model.meaning["index"], "weights": model.meaning["weights"]},
        "pictures": {k: len(own[0]) for k, own in seen.items()},
        "kept of val": KEPT,
        "novelty": {name: _judged(score, seen) for name, score in scores(model).items()},
    }  # fmt: skip
    write_json(Path(sys.argv[3]), found)
    print(aligned(_lines(found["novelty"])))


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


def _seen(model: Classifier, greys: Sequence[Array], name: str) -> Seen:
    parts = []
    starts = range(0, len(greys), 64)
    for start in track(starts, f"looking at {name}", len(starts)):
        some = np.stack([model.preprocessing.picture(g) for g in greys[start : start + 64]])
        logits, _, embedding = model.run(some)
        parts.append((logits, embedding))
    columns = list(zip(*parts, strict=True))
    return np.concatenate(columns[0]), np.concatenate(columns[1])


def _judged(score: Score, seen: dict[str, Seen]) -> dict[str, float]:
    """How well strangers are told from unseen patients, and what the limit set on val does."""
    values = {name: score(*own) for name, own in seen.items()}
    limit = threshold(values["val"], KEPT)
    both = np.concatenate([values["test"], values["strangers"]])
    strange = np.arange(len(both)) >= len(values["test"])
    return {
        "AUROC": float(roc_auc_score(strange, both)),
        "strangers refused": float((values["strangers"] > limit).mean()),
        "unseen patients refused": float((values["test"] > limit).mean()),
    }


def _lines(told: dict[str, dict[str, Any]]) -> list[list[str]]:
    rows = [["score", "AUROC", "strangers refused %", "unseen patients refused %"]]
    for name, own in told.items():
        shares = (own["strangers refused"], own["unseen patients refused"])
        rows.append([name, f"{own['AUROC']:.4f}", *(f"{100 * share:.1f}" for share in shares)])
    return rows


if __name__ == "__main__":
    main()
