"""Owns several evaluations side by side: their views in, one table, tests and drawings out.

A warning stands where they measured different things; tests only where the images are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from brainlens.report import compared, forest
from brainlens.report.artefacts import Evaluation, pick
from brainlens.report.facts import digest, plain
from brainlens.report.sections import METRICS, cell
from brainlens.report.severity import severities

View = dict[str, Any]


def comparison(views: Sequence[View]) -> View:
    """Several evaluations side by side, with a warning where they measured different things."""
    reads: list[Evaluation] = [view["read"] for view in views]
    digests = {digest(pick(read.document, "provenance", "index")) for read in reads}
    same = len(digests) == 1 and len({(read.split, read.images) for read in reads}) == 1
    protocols = [plain(pick(read.document, "protocol", "protocol")) for read in reads]
    return {
        "names": [name for name, _ in METRICS.values()],
        "rows": [
            (view, [cell(read.metrics.get(name), name) for name in METRICS], split)
            for view, read, split in zip(views, reads, protocols, strict=True)
        ],
        "same": same and len(set(protocols)) == 1,
        "forest": Markup(
            forest.intervals(
                {
                    view["title"]: {"accuracy": read.metrics["accuracy"]}
                    for view, read in zip(views, reads, strict=True)
                }
            )
        ),
        "pairs": _pairs(views),
        "pair_head": compared.HEAD,
        "degraded": Markup(severities({view["title"]: view["read"].document.get("degraded")
                               for view in views})),
    }  # fmt: skip


def _pairs(views: Sequence[View]) -> list[list[str]]:
    """Every two evaluations that judged the same images, with what may be said of them."""
    answers = [compared.read_answers(view["folder"]) for view in views]
    if not all(compared.same_test(answers[0], other) for other in answers[1:]):
        return []
    names = [view["title"] for view in views]
    return [compared.cells(pair) for pair in compared.compare_answers(names, answers)]
