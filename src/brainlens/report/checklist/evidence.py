"""Owns what a checklist is filled in from: the files of a run, its evaluation and its audit.

Enters: folders in any order, each of another kind. Leaves: documents and the names of their files;
a kind that was not given is an empty document, and what only it could answer stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from brainlens.core.errors import UserError
from brainlens.report.artefacts import Document, pick, read_evaluation, read_json, read_toml

# The file that shows what a folder holds, and how its "kind" is named there.
KINDS = {"metrics.json": "evaluation", "provenance.json": "run", "audit.json": "audit"}


class Said(NamedTuple):
    """An answer, and the file it was read from."""

    text: str
    where: str


@dataclass(frozen=True)
class Evidence:
    """The documents of one model: what was measured, how it was trained, what the audit found."""

    evaluation: Document = field(default_factory=dict)
    run: Document = field(default_factory=dict)
    config: Document = field(default_factory=dict)
    audit: Document = field(default_factory=dict)
    places: dict[str, Path] = field(default_factory=dict)  # kind -> folder

    def where(self, kind: str, file: str) -> str:
        """A file's name as it is shown."""
        return (self.places[kind] / file).as_posix() if kind in self.places else file

    def measured(self, *keys: str) -> Any:
        """A value of metrics.json; None where there is none."""
        return pick(self.evaluation, *keys)

    def trained(self, *keys: str) -> Any:
        """A value of provenance.json; None where there is none."""
        return pick(self.run, *keys)

    def split(self) -> Document:
        """The record of the split, from the run or else from the evaluation."""
        found = self.trained("split") or self.measured("protocol")
        return found if isinstance(found, dict) else {}


def gather(folders: Sequence[Path]) -> Evidence:
    """Read the folders; raises UserError for two of one kind, an unknown one, or other models."""
    places: dict[str, Path] = {}
    documents: dict[str, Document] = {}
    for folder in folders:
        kind, document = _kind(folder)
        if kind in places:
            raise UserError(
                f"{folder}: is a second {kind}; expected one of each kind (a checklist is about "
                "one model). Leave it out"
            )
        places[kind], documents[kind] = folder, document
    if "evaluation" in places:
        read_evaluation(places["evaluation"])  # refuses what could only be shown wrongly
    run, evaluation = documents.get("run", {}), documents.get("evaluation", {})
    _one_model(run, evaluation, places)
    config = read_toml(places["run"] / "config.toml") if "run" in places else {}
    return Evidence(evaluation, run, config, documents.get("audit", {}), places)


def _kind(folder: Path) -> tuple[str, Document]:
    for file, kind in KINDS.items():
        if (folder / file).is_file():
            document = read_json(folder / file)
            if document.get("kind") == kind:
                return kind, document
    got = "a folder of another kind" if folder.is_dir() else "no such folder"
    raise UserError(
        f"{folder}: got {got}; expected a run, an evaluation or an audit (brainlens train, "
        "evaluate, audit)"
    )


def _one_model(run: Document, evaluation: Document, places: dict[str, Path]) -> None:
    """Refuse an evaluation of another training than the run's."""
    judged, trained = pick(evaluation, "provenance", "train_index"), pick(run, "index")
    names = [
        found.get("digest") if isinstance(found, dict) else found for found in (judged, trained)
    ]
    if all(names) and names[0] != names[1]:
        raise UserError(
            f"{places['evaluation']}: is of another run than {places['run']} (they learned from "
            "other indexes); expected an evaluation of this run. Run: brainlens evaluate "
            f"{places['run']} INDEX -o EVAL"
        )
