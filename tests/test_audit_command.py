"""`brainlens audit` writes an index the split can use, and a page that holds its numbers."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from brainlens.cli import commands
from brainlens.core.errors import OutputError
from brainlens.data.index import read_index
from brainlens.data.leakage import leaks_between
from brainlens.data.sample import copy_to
from tests.loading import HEAVY, loaded


def run(*words: str) -> Result:
    result = CliRunner().invoke(commands, words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def words(html: str) -> str:
    """What a reader sees."""
    html = re.sub(r"<style>.*?</style>|<svg.*?</svg>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_audit_then_split_then_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "cache"))
    copy_to(tmp_path / "scans")
    run("index", "scans", "-o", "index.csv")
    run("split", "index.csv", "--protocol", "random", "--test", "0.3", "-o", "random.csv")
    said = run("audit", "random.csv", "-o", "audit", "--against", "index.csv").output
    found = json.loads(Path("audit/audit.json").read_text("utf-8"))
    counts = found["counts"]
    assert (counts["copies"], counts["twin_pairs"], counts["conflicts"]) == (2, 8, 1)
    assert "2 exact copies, 8 pairs of twins" in said
    assert "brainlens split audit/index.csv" in said

    shown = Path("audit/audit.html").read_text("utf-8")
    assert "wrote audit/audit.html" in said
    assert len(shown) < 3_500_000
    assert "img-src data:" in shown
    sources = re.findall(r'(?:src|href)="([^"]{,30})', shown)
    assert sources
    assert all(source.startswith(("#", "data:image/jpeg;base64,")) for source in sources)
    assert "Test images, each beside what is in train or val: " in words(shown)
    assert "The twins that are least alike: 8 of 8" in words(shown)
    assert all(path in shown for path in found["conflicts"][0]["paths"])

    written = read_index(Path("audit/index.csv"))
    assert {row.path for row in written.rows if not written.file(row).is_file()} == set()
    before = {row.pixel_digest: row.split for row in read_index(Path("random.csv")).rows}
    assert sum(before[row.pixel_digest] != row.split for row in written.rows) <= 2  # copies

    run("split", "audit/index.csv", "--test", "0.3")
    after = read_index(Path("audit/index.csv"))
    assert leaks_between(after.of("test"), [*after.of("train"), *after.of("val")], {}) == []

    run("report", "audit", "-o", "report.html")
    page = " ".join(re.sub(r"<[^>]+>", " ", Path("report.html").read_text("utf-8")).split())
    seen = sum(own["leaking"] for own in found["leaks"]["test"]["classes"].values())
    images = sum(own["images"] for own in found["leaks"]["test"]["classes"].values())
    assert seen > 0
    assert f"{seen} of {images} test images" in page
    assert "250 of 250 images are also in the other index" in page
    assert found["certificate"]["indices"]["audited"]["digest"] in page
    assert all(path in page for path in found["conflicts"][0]["paths"])

    with pytest.raises(OutputError, match="already holds files"):
        run("audit", "random.csv", "-o", "audit")
    run("audit", "random.csv", "-o", "audit", "--overwrite", "--no-names", "--no-pictures")
    bare = Path("audit/audit.html").read_text("utf-8")
    assert "<img" not in bare
    assert "img-src" not in bare
    assert "no names of files and no images" in words(bare)
    names = {Path(row.path).stem for row in read_index(Path("random.csv")).rows}
    assert not [name for name in names if name in bare]
    assert "random.csv" not in bare


def test_an_audit_waits_for_nothing_that_it_does_not_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copy_to(tmp_path / "scans")
    run("index", "scans", "-o", "index.csv")
    words = ["audit", "index.csv", "-o", str(tmp_path / "audit")]
    needed = {"numpy", "PIL"}
    assert not (HEAVY - needed) & loaded(words, os.environ | {"BRAINLENS_CACHE": str(tmp_path)})[0]
