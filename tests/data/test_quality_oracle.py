"""What cleanvision finds of copies, dark and odd-sized pictures, the audit finds too."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.data.audit import audit_index
from brainlens.data.index import Index
from brainlens.data.indexing import index_folders
from brainlens.data.quality import name_of
from brainlens.data.sample import copy_to


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the oracle's own
def test_the_audit_finds_what_cleanvision_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imagelab = pytest.importorskip("cleanvision").Imagelab
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "cache"))
    whole = copy_to(tmp_path / "sample")
    scans = tmp_path / "scans"
    for label in ("glioma", "none"):
        (scans / label).mkdir(parents=True)
        for file in sorted((whole / label).glob("*.jpg"))[:12]:
            shutil.copy(file, scans / label)
    first = sorted((scans / "glioma").glob("*.jpg"))[0]
    shutil.copy(first, scans / "glioma" / "copy.jpg")
    with Image.open(first) as picture:
        dark = np.asarray(picture.convert("L")) // 12
        Image.fromarray(dark).save(scans / "none" / "dark.png")
        picture.resize((600, 130)).save(scans / "none" / "wide.png")

    lab = imagelab(data_path=str(scans), verbose=False)
    lab.find_issues({"dark": {}, "odd_aspect_ratio": {}, "exact_duplicates": {}}, n_jobs=1,
                    verbose=False)  # fmt: skip
    issues = lab.issues
    theirs = {
        name: {Path(path).name for path in issues.index[issues[f"is_{column}_issue"]]}
        for name, column in (("dark", "dark"), ("odd-size", "odd_aspect_ratio"))
    }
    copies = {Path(path).name for path in issues.index[issues["is_exact_duplicates_issue"]]}

    found = audit_index(Index(index_folders([scans], label_map={}).rows, Path("/")))
    ours = {
        name: {
            Path(row.path).name
            for row in found.rows
            if name in {name_of(note) for note in row.flags.split(";")}
        }
        for name in theirs
    }
    assert "dark.png" in theirs["dark"]
    assert "wide.png" in theirs["odd-size"]
    assert "dark.png" in ours["dark"]  # of slices of a head it may call any dark
    assert theirs["odd-size"] <= ours["odd-size"]
    digests = Counter(row.digest for row in found.rows)
    assert copies == {Path(row.path).name for row in found.rows if digests[row.digest] > 1}
    assert len(copies) == 2
