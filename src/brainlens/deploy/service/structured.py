"""Owns a reading as DICOM SR: its files' headers, held in memory for a while, and the report.

A structured report carries the patient of its images, as `deploy/dicom_sr.py` says; the server
keeps no header, so a report can be had only while the upload is remembered.
"""

from __future__ import annotations

import importlib.util
import io
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainlens.core.errors import ImageError, UserError
from brainlens.data.answers import Answer, Finding
from brainlens.data.scans import Picture
from brainlens.data.studies import pool
from brainlens.deploy.service.refusals import Refusal


def has_sr() -> bool:
    """Whether the part that writes reports can be used here."""
    names = ("brainlens.deploy.dicom_sr", "highdicom")
    return all(importlib.util.find_spec(name) is not None for name in names)


def header_of(content: bytes) -> bytes:
    """A DICOM file without its pixels; empty where its header cannot be written again."""
    import pydicom

    stream = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they would print the patient's name
            data = pydicom.dcmread(io.BytesIO(content), force=True, stop_before_pixels=True)
            data.save_as(stream, enforce_file_format=False)
    except Exception:  # pydicom raises many kinds over broken headers
        return b""
    return stream.getvalue()


def structured(
    document: dict[str, Any], headers: Sequence[bytes] | None, healthy: str, folder: Path
) -> tuple[bytes, str]:
    """The report and its ending: `dcm`, or `zip` of one for each series; raises Refusal."""
    if not has_sr():
        raise Refusal("not-built", "DICOM SR is not part of this installation")
    if headers is None:
        raise Refusal("not-kept", f"reading {document['id']}: its files are not remembered")
    from brainlens.deploy.dicom_sr import write_reports

    with tempfile.TemporaryDirectory(dir=folder, prefix="report-") as name:
        place = Path(name)
        answers = [
            _answer(one, document["studies"][one["study"]], header, place)
            for one, header in zip(document["slices"], headers, strict=True)
            if header
        ]
        model = document["model"]["digest"]
        try:
            written, without = write_reports(
                answers, pool(answers, healthy), place / "out", model=model
            )
            if without:
                raise without[0]
        except UserError as error:
            why = f"got {error.got}" if isinstance(error, ImageError) else error  # without its path
            raise Refusal("invalid", f"no report can be made of this reading ({why})") from None
        if len(written) == 1:
            return written[0].read_bytes(), "dcm"
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in written:
                archive.write(path, path.name)
        return stream.getvalue(), "zip"


def _answer(one: dict[str, Any], study: dict[str, Any], header: bytes, place: Path) -> Answer:
    """A slice of the reading as the command line has it, with a file of its header."""
    path = place / f"{one['digest']}.dcm"
    if not path.is_file():
        path.write_bytes(header)
    known = {key: one[key] for key in ("predicted", "confidence", "probabilities", "refusal")}
    together = f"study {one['study']}" if len(study["slices"]) > 1 else ""
    return Answer(Picture(str(path), one["index"], 1, study=together), Finding(**known))
