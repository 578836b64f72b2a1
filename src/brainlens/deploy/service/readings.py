"""Owns a reading: what is said of one upload, slice by slice and study by study.

Enters: planes and what was seen in them. Leaves: plain documents, as the API sends and the history
keeps them.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from brainlens.core.provenance import now
from brainlens.data.studies import POOLED, among_neighbours
from brainlens.deploy.service.planes import Plane, shown
from brainlens.deploy.service.refusals import Refusal
from brainlens.deploy.service.sight import Seen, Sight

USE = "Research use, not a medical device."

Document = dict[str, Any]


def new_id() -> str:
    """A name for a reading that nobody can guess."""
    return secrets.token_hex(8)


def slice_document(index: int, study: int, plane: Plane, seen: Seen, sight: Sight) -> Document:
    """All that is known of one slice."""
    height, width = plane.grey.shape
    found = seen.finding
    return {
        "index": index,
        "study": study,
        "name": plane.name,
        "digest": plane.digest,
        "width": width,
        "height": height,
        "facts": plane.facts,
        "shown": shown(plane),
        "suspicion": sight.suspicion(found),
        "predicted": found.predicted,
        "confidence": found.confidence,
        "probabilities": found.probabilities,
        "candidates": list(found.candidates),
        "refusal": found.refusal,
        "novelty": _finite(found.novelty),
        "flags": list(found.flags),
        "similar": [
            {"name": near.name, "label": near.label, "distance": _finite(near.distance)}
            for near in found.similar
        ],
        "heat": seen.heat,
    }


def _finite(value: float | None) -> float | None:
    """A number that JSON has, or None."""
    return float(value) if value is not None and np.isfinite(value) else None


def study_numbers(planes: Sequence[Plane]) -> list[int]:
    """The number of each plane's study."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(plane.study, len(numbers)) for plane in planes]


def in_context(
    planes: Sequence[Plane], seen: Sequence[Seen], sight: Sight, coverage: float
) -> list[Seen]:
    """The slices of each scan with their neighbours in mind, as the command line answers them."""
    out, members = list(seen), dict[int, list[int]]()
    for place, (plane, number) in enumerate(zip(planes, study_numbers(planes), strict=True)):
        if plane.kind != "picture":
            members.setdefault(number, []).append(place)
    candidates = sight.model.sets(coverage)
    for places in members.values():
        findings = [out[place].finding for place in places]
        mixed = among_neighbours(findings, sight.healthy, candidates)
        for place, finding in zip(places, mixed, strict=True):
            out[place] = replace(out[place], finding=finding)
    return out


def study_documents(planes: Sequence[Plane], slices: Sequence[Document]) -> list[Document]:
    """Each study with its slices and its pooled answer."""
    studies: list[Document] = []
    for plane, one in zip(planes, slices, strict=True):
        if one["study"] == len(studies):
            studies.append({"title": plane.title, "kind": plane.kind, "slices": []})
        studies[one["study"]]["slices"].append(one["index"])
    for study in studies:
        study["pooled"] = pooled([slices[n] for n in study["slices"]])
    return studies


def pooled(slices: Sequence[Document]) -> Document | None:
    """One answer for a study, as `data/studies.py` has it for the command line.

    The figure is a way to sort studies; it is not calibrated as that of one slice is.
    """
    judged = [one for one in slices if not one["refusal"]]
    if not judged:
        return None
    judged.sort(key=lambda one: -float(one["suspicion"]))
    some = judged[:POOLED]
    labels = list(some[0]["probabilities"])
    means = {
        label: float(np.mean([one["probabilities"][label] for one in some])) for label in labels
    }
    best = max(labels, key=lambda label: means[label])
    return {
        "predicted": best,
        "confidence": means[best],
        "probabilities": means,
        "suspicion": float(np.mean([one["suspicion"] for one in some])),
        "from": sorted(one["index"] for one in some),
        "judged": len(judged),
        "refused": len(slices) - len(judged),
    }


def reading_document(
    planes: Sequence[Plane],
    seen: Sequence[Seen],
    refused: Sequence[tuple[str, Refusal]],
    sight: Sight,
    **about: Any,
) -> Document:
    """The whole reading; `about` has id, reader, coverage, digest and seconds."""
    numbered = zip(study_numbers(planes), planes, seen, strict=True)
    slices = [slice_document(i, *one, sight) for i, one in enumerate(numbered)]
    studies = study_documents(planes, slices)
    titles = list(dict.fromkeys(study["title"] for study in studies))
    more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
    return {
        "name": titles[0] + more,
        "at": now(),
        "use": USE,
        "model": {"name": sight.name, "digest": sight.digest},
        "labels": list(sight.labels),
        "studies": studies,
        "slices": slices,
        "unreadable": [
            {"name": name, "code": refusal.code, "message": refusal.message}
            for name, refusal in refused
        ],
        **about,
    }


def headline(document: Document) -> Document:
    """A reading in one line of the history: the answer of its most suspicious study."""
    answers = [study["pooled"] for study in document["studies"] if study["pooled"]]
    worst = max(answers, key=lambda one: float(one["suspicion"]), default=None)
    return {
        "id": document["id"],
        "at": document["at"],
        "reader": document["reader"],
        "name": document["name"],
        "slices": len(document["slices"]),
        "studies": len(document["studies"]),
        "predicted": worst["predicted"] if worst else "",
        "confidence": worst["confidence"] if worst else None,
        "suspicion": worst["suspicion"] if worst else None,
        "model": document["model"]["digest"],
        "input": document["digest"],
    }
