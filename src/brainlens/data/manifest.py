"""Owns the joining of a manifest: what somebody knows about images, by file.

Enters: a CSV with a file column (paths relative to the CSV) and columns of patients, folds, twin
groups, splits, planes or second labels. Leaves: `Known` facts by resolved path.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brainlens.core.errors import IndexFileError

# What a column may be called, best first. "" is unknown everywhere, "0" where it says so.
COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "file": ("file", "path", "filename", "image"),
    "patient": ("patient", "patient_id", "subject", "subject_id", "slice_run"),
    "fold": ("patient_fold", "fold"),
    "twins": ("near_dup_group", "twin_group", "group"),
    "official": ("orig_split", "official", "split"),
    "second_label": ("figshare_label", "true_label", "expert_label"),
    "plane": ("plane", "plane_approx", "orientation"),
}
_ZERO_IS_UNKNOWN = ("patient", "fold")


@dataclass(frozen=True)
class Known:
    """What a manifest says of one image; "" where it says nothing."""

    patient: str = ""
    fold: str = ""
    twins: str = ""
    official: str = ""
    second_label: str = ""
    plane: str = ""  # axial, coronal, sagittal


def read_manifest(path: Path) -> dict[Path, Known]:
    """The facts of a manifest by absolute path of the image; lines that name no file are left out.

    Names of columns may be spelt `patient_id`, `Patient ID` or `patientId`.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = _columns(path, reader.fieldnames or ())
            return {
                _place(path.parent, record[columns["file"]]): _known(record, columns)
                for record in reader
                if (record[columns["file"]] or "").strip()
            }
    except FileNotFoundError:
        raise IndexFileError(f"{path}: no such file; expected a manifest (CSV)") from None
    except (OSError, ValueError, csv.Error) as error:
        raise IndexFileError(f"{path}: cannot be read as a manifest ({error})") from None


def _columns(path: Path, header: Sequence[str]) -> dict[str, str]:
    """The column of each fact, "" where there is none."""
    spelt = {_plain(name): name for name in header}
    columns = {
        fact: next((spelt[_plain(name)] for name in names if _plain(name) in spelt), "")
        for fact, names in COLUMN_NAMES.items()
    }
    if not columns["file"]:
        expected = ", ".join(COLUMN_NAMES["file"])
        raise IndexFileError(f"{path}: has no file column; expected one of {expected}")
    if not any(name for fact, name in columns.items() if fact != "file"):
        expected = ", ".join(names[0] for names in COLUMN_NAMES.values())
        raise IndexFileError(f"{path}: knows nothing to join; expected columns {expected}")
    return columns


def _plain(name: str) -> str:
    """A column's name without what people spell differently."""
    return re.sub(r"[\W_]", "", name.lower())


def _place(folder: Path, name: str) -> Path:
    """Where a named file lies; Windows separators count unless a file is really called so."""
    if "\\" in name and not (folder / name).exists():
        name = name.replace("\\", "/")
    return (folder / name).resolve()


def _known(record: dict[str, str], columns: dict[str, str]) -> Known:
    """One record's facts, unknowns blanked."""
    facts = {}
    for fact, name in columns.items():
        if fact == "file":
            continue
        value = (record[name] or "").strip() if name else ""
        unknown = value == "0" and fact in _ZERO_IS_UNKNOWN
        # A name that says which column it is from keeps ids of different kinds apart.
        facts[fact] = "" if unknown or not value else value
    if facts["patient"]:
        facts["patient"] = f"{columns['patient']}-{facts['patient']}"
    return Known(**facts)
