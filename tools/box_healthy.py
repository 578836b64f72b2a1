"""Heads that are not known to be ill: `python -m tools.box_healthy OUT MODEL...`.

Each MODEL (an export) answers the heads of the shared folder that are not known to be ill, as
`predict` answers a series: how many slices it refuses, how many it calls a tumour, how sure of one
it is at most, and what it says of the whole. None of them was trained or chosen on. Writes OUT
(JSON), prints a table.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from brainlens.core.files import write_json
from brainlens.core.provenance import now, versions
from brainlens.core.scanfiles import find_scans
from brainlens.data.studies import in_context, pool, suspicion
from brainlens.deploy.answering import BACKGROUND
from brainlens.deploy.classifier import Classifier
from brainlens.report.columns import aligned

DATA = Path(os.environ.get("BRAINLENS_SHARED", "../shared")) / "data"
HEADS = {
    "T1, 7 tesla (studyforrest)": ("dicom/dicom_studyforrest_7T_T1", "*.dcm"),
    "T1, 3 tesla (dwv)": ("dicom/dicom_dwv_bbmri", "bbmri-*.dcm"),
    "FLAIR (Barre)": ("dicom/dicom_mr_head_barre", "*.dcm"),
    "contrast T1, skull removed (niivue)": ("volumes/niivue", "MR_Gd.nii.gz"),
}


def main() -> None:
    """Ask each of each, write."""
    out, *models = sys.argv[1:]
    told = {name: heads(Classifier(Path(name))) for name in models}
    write_json(Path(out), {
        "command": "python -m tools.box_healthy " + " ".join(sys.argv[1:]),
        "versions": versions(), "measured": now(), "models": told,
    })  # fmt: skip
    rows = [["model", "head", "slices", "refused", "called a tumour", "surest", "answer", ""]]
    rows += [
        [Path(model).stem, head, *map(str, (own["slices"], own["refused"], own["tumours"])),
         f"{own['surest']:.3f}", own["answer"], f"{own['any tumour']:.3f}"]
        for model, each in told.items() for head, own in each.items()
    ]  # fmt: skip
    print(aligned(rows))


def heads(model: Classifier) -> dict[str, dict[str, Any]]:
    """What is said of each head."""
    return {name: head(model, *place) for name, place in HEADS.items()}


def head(model: Classifier, folder: str, names: str) -> dict[str, Any]:
    """What is said of the slices of one series, and of the whole."""
    files = [file for file in find_scans(DATA / folder) if file.match(names)]
    answers = in_context(model.classify(files)[0], BACKGROUND)
    sick = [suspicion(answer, BACKGROUND) for answer in answers]  # -1: refused
    (study,) = pool(answers, BACKGROUND)
    return {
        "slices": len(answers),
        "refused": sum(one < 0 for one in sick),
        "tumours": sum(one > 0.5 for one in sick),
        "surest": max(sick),
        "answer": study.predicted,
        "any tumour": study.suspicion,
    }


if __name__ == "__main__":
    main()
