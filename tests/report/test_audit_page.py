"""`audit.html`: written beside the audit, opens in a real browser, and tells no more than asked."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.core.errors import IndexFileError
from brainlens.data.audit_file import audit_file
from brainlens.data.index import write_index
from brainlens.data.indexing import index_folders
from brainlens.data.sample import SAMPLE_DIR
from brainlens.report.audit_page import write_audit_page

LEVEL = 137  # a grey that neither the page nor its text has


@pytest.fixture
def audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The audit of one slice, its flipped twin of another class, and one blank picture."""
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "cache"))
    for name in ("smith", "none", "glioma"):
        (tmp_path / "scans" / name).mkdir(parents=True)
    slice_ = Image.open(SAMPLE_DIR / "glioma" / "glioma-004.jpg").convert("L")
    slice_.save(tmp_path / "scans/glioma/one.png")
    slice_.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "scans/none/other.png")
    flat = np.full((200, 200), LEVEL, np.uint8)
    Image.fromarray(flat).save(tmp_path / "scans/smith/flat.png")
    rows = index_folders([tmp_path / "scans"], label_map={"smith": "none"}).rows
    write_index(rows, Path("/"), tmp_path / "index.csv")
    audit_file(tmp_path / "index.csv", tmp_path / "audit")
    return tmp_path / "audit"


def test_the_page_says_what_it_gives_away(audited: Path) -> None:
    written = write_audit_page(audited)
    page = written.path.read_text("utf-8")
    # The conflict, the group and the faintest pair show both pictures, the last one turned too.
    assert page.count("<img") == 2 + 2 + 3 + 1
    assert written.holds.startswith("8 small pictures (")
    assert written.holds.endswith(" KB) with names of files")
    assert f"This page holds {written.holds}." in page
    assert "scans/smith/flat.png" in page


@pytest.mark.parametrize("pictures", [True, False])
def test_without_names_only_classes_and_numbers_are_told(audited: Path, pictures: bool) -> None:
    page = write_audit_page(audited, names=False, pictures=pictures).path.read_text("utf-8")
    told = json.loads((audited / "audit.json").read_text("utf-8"))
    assert "smith" in json.dumps(told)
    for secret in ("smith", "other.png", "scans/", str(audited), "index.csv"):
        assert secret not in page
    assert "row 3" in page
    assert ("<img" in page) == pictures
    assert page == write_audit_page(audited, names=False, pictures=pictures).path.read_text("utf-8")


def test_a_page_needs_the_index_it_speaks_of(audited: Path) -> None:
    (audited.parent / "index.csv").unlink()
    with pytest.raises(IndexFileError, match=r"index\.csv: no such file"):
        write_audit_page(audited)


@pytest.mark.slow
def test_a_browser_shows_the_pictures_and_refuses_nothing(audited: Path, tmp_path: Path) -> None:
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip("needs a Chromium: none is installed")
    # Left alone on the page, the blank picture is in the section that stands open.
    document = json.loads((audited / "audit.json").read_text("utf-8"))
    document |= {"pairs": [], "conflicts": []}
    (audited / "audit.json").write_text(json.dumps(document))
    page = write_audit_page(audited).path
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1000,5000",
            f"--screenshot={tmp_path / 'shot.png'}", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "Refused" not in done.stderr
    shot = np.asarray(Image.open(tmp_path / "shot.png").convert("RGB"), np.int16)
    assert (np.abs(shot - LEVEL).max(2) <= 2).sum() >= 0.9 * 96 * 96
