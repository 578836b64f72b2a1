"""Owns the joining of a manifest: what somebody knows about images, by file.

Enters: a CSV with a file column (paths relative to the CSV) and columns of patients, folds, twin
groups, splits or second labels. Leaves: `Known` facts by resolved path.
"""

from __future__ import annotations

import csv
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


def read_manifest(path: Path) -> dict[Path, Known]:
    """The facts of a manifest by absolute path of the image."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            header = reader.fieldnames or ()
            columns = {
                fact: next((name for name in names if name in header), "")
                for fact, names in COLUMN_NAMES.items()
            }
            if not columns["file"]:
                expected = ", ".join(COLUMN_NAMES["file"])
                raise IndexFileError(f"{path}: has no file column; expected one of {expected}")
            if not any(name for fact, name in columns.items() if fact != "file"):
                expected = ", ".join(names[0] for names in COLUMN_NAMES.values())
                raise IndexFileError(f"{path}: knows nothing to join; expected columns {expected}")
            return {
                (path.parent / record[columns["file"]]).resolve(): _known(record, columns)
                for record in reader
            }
    except FileNotFoundError:
        raise IndexFileError(f"{path}: no such file; expected a manifest (CSV)") from None
    except (OSError, UnicodeDecodeError, csv.Error, TypeError) as error:
        raise IndexFileError(f"{path}: cannot be read as a manifest ({error})") from None


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
