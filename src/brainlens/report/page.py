"""Owns the report: one page that opens offline anywhere and says what a result is worth.

Enters: run, evaluation and audit folders, as `brainlens train`, `evaluate` and `audit` leave them.
Leaves: one HTML file without scripts or outside parts; the same folders give the same bytes.
To add a kind of result, add a row to SECTIONS and a template of that name beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from brainlens.core.errors import OutputError, UserError
from brainlens.core.files import write_atomic
from brainlens.report import (
    audited,
    beside,
    reproduced,
    sections,
    studied,
    synthesised,
    trained,
)
from brainlens.report.artefacts import pick, read_json
from brainlens.report.rendering import View, render


class Section(NamedTuple):
    """A kind of result: how its folder is known, what makes one, how it is read and shown."""

    kind: str  # what the first of `files` says under "kind"
    files: tuple[str, ...]  # all present
    made_by: str  # the command
    view: Callable[[Path], View]  # what the template `kind`.html is given


SECTIONS = (
    Section(
        "evaluation", ("metrics.json",), "brainlens evaluate", sections.evaluation
    ),
    Section("run", ("provenance.json", "metrics.csv"), "brainlens train", trained.run),
    Section("audit", ("audit.json",), "brainlens audit", audited.audit),
    Section("study", ("study.json",), "brainlens study", studied.study),
    Section(
        "reproduction", ("reproduce.json",), "brainlens reproduce",
        reproduced.reproduction,
    ),
    Section(
        "synth-score", ("score.json",), "brainlens synth score",
        synthesised.score,
    ),
    Section(
        "synth-verdict", ("verdict.json",), "brainlens synth verdict",
        synthesised.verdict,
    ),
)  # fmt: skip


def write_report(folders: Sequence[Path], out: Path) -> Path:
    """Write one page about all `folders`, in their order; raises UserError, and then no page."""
    if not folders:
        raise UserError("got no folder; expected at least one run or evaluation to report on")
    if out.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{out}: got no .html name; expected one, as in -o report.html")
    return write_atomic(out, _render(folders))


def _render(folders: Sequence[Path]) -> str:
    views: list[View] = []
    for number, (folder, title) in enumerate(zip(folders, _titles(folders), strict=True), start=1):
        section = _detect(folder)
        about = {"kind": section.kind, "title": title, "anchor": f"s{number}"}
        views.append(section.view(folder) | about)
    evaluations = [view for view in views if view["kind"] == "evaluation"]
    compared = beside.comparison(evaluations) if len(evaluations) > 1 else None
    made = any(view["kind"] == "synth-score" for view in views)
    names = (
        "real scans beside made ones, and their names"
        if made
        else "names of image files, and no images"
    )
    return render(views, holds=names, pictures=made, comparison=compared)


def _detect(folder: Path) -> Section:
    """The kind of result a folder holds."""
    for section in SECTIONS:
        if not all((folder / file).is_file() for file in section.files):
            continue
        if pick(read_json(folder / section.files[0]), "kind") == section.kind:
            return section
    got = "a folder of another kind" if folder.is_dir() else "a file" if folder.exists() else ""
    makers = ", ".join(f"`{section.made_by}`" for section in SECTIONS)
    raise UserError(
        f"{folder}: got {got or 'no such folder'}; expected a folder made by one of: {makers}"
    )


def _titles(folders: Sequence[Path]) -> list[str]:
    """The folders' names, or their paths as given where two share a name."""
    names = [folder.name or folder.resolve().name for folder in folders]
    return [
        name if names.count(name) == 1 else folder.as_posix()
        for folder, name in zip(folders, names, strict=True)
    ]
