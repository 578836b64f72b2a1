"""Owns a reading as files to take away: CSV, and a page to print.

Cells that a spreadsheet would run are made text; the page has no script and escapes every name.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from brainlens import __version__
from brainlens.deploy.service.album import Album
from brainlens.deploy.service.wording import WORDS, Language, label, reasons

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PRINTED = 60  # pictures of a report at most
FEEDBACK_COLUMNS = (
    "entry", "at", "reader", "reading", "slice", "name", "digest", "predicted", "verdict", "label",
    "note",
)  # fmt: skip


def cell(value: Any) -> str:
    """A value as a cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = " ".join(str(value).split())
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, int) else text


def table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """CSV with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(row.get(name)) for name in columns] for row in rows)
    return stream.getvalue()


def reading_csv(document: Mapping[str, Any]) -> str:
    """One line a slice."""
    labels = document["labels"]
    rows = [
        {
            **one,
            "reading": document["id"],
            "study": document["studies"][one["study"]]["title"],
            "candidates": " ".join(one["candidates"]),
            "flags": " ".join(one["flags"]),
            **{f"p({label})": one["probabilities"].get(label) for label in labels},
        }
        for one in document["slices"]
    ]
    columns = [
        "reading", "study", "index", "name", "digest", "predicted", "confidence", "suspicion",
        "candidates", "refusal", "novelty", "flags", *(f"p({label})" for label in labels),
    ]  # fmt: skip
    return table(columns, rows)


def report(document: Mapping[str, Any], album: Album, language: Language) -> str:
    """A page to print, with the most suspicious slices' pictures where they are still held."""
    ranked = sorted(document["slices"], key=lambda one: -(one["suspicion"] or -1.0))
    pictures = {}
    for one in ranked[:_PRINTED]:
        small = album.picture(document["id"], one["index"], 320)
        if small is not None:
            pictures[one["index"]] = base64.b64encode(small).decode("ascii")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    own = partial(label, language=language)
    environment.filters["label"] = own
    return environment.get_template("report.html").render(
        reading=document, ranked=ranked, pictures=pictures, version=__version__, language=language,
        w=WORDS[language], label=own, reasons=partial(reasons, language=language),
    )  # fmt: skip
