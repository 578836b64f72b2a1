"""Owns what was measured of a model: figures, leakage certificate, reliability, for the page.

Enters: `metrics.json` as `brainlens evaluate` writes it (or its folder), or the record that stands
beside the model in the box under the same name. Leaves: one document, nothing in it made up: where
there is no such file, the page says that nothing is known.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from brainlens.core.errors import UserError

Document = dict[str, Any]
# Nothing that names a file or a folder of the machine it was measured on.
_TOLD = (
    "split",
    "labels",
    "images",
    "groups",
    "metrics",
    "per_class",
    "confusion",
    "parts",
    "interval",
)
_COUNTED = ("copies", "twins", "same_group", "clean", "leaked", "certificate")


def read_record(model: Path, evaluation: Path | None) -> Document | None:
    """What is known of a model; raises UserError for a file that says nothing of the kind."""
    file = evaluation or model.with_suffix(".json")
    if file.is_dir():
        file = file / "metrics.json"
    if evaluation is None and not file.is_file():
        return None
    try:
        found = json.loads(file.read_text("utf-8"))
        if found["kind"] == "record":
            return dict(found)
        if found["kind"] != "evaluation":
            raise KeyError(found["kind"])
        return {"kind": "record", "judged": judged(found)}
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}). Check --evaluation") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{file}: is no evaluation. Make one: brainlens evaluate RUN INDEX -o EVAL, and give "
            "--evaluation EVAL"
        ) from None


def judged(evaluation: Document) -> Document:
    """An evaluation as the page shows it; raises KeyError where it lacks a part."""
    leakage, protocol = evaluation["leakage"], evaluation["protocol"]
    return {
        **{name: evaluation[name] for name in _TOLD},
        "protocol": protocol["protocol"],
        "reliability": [
            {"confidence": one["confidence"], "accuracy": one["accuracy"], "images": one["count"]}
            for one in evaluation["reliability"]
            if one["count"]
        ],
        "leakage": {name: leakage.get(name) for name in _COUNTED},
        "measured": evaluation["provenance"]["finished"],
    }
