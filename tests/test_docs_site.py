"""The documents as a site: complete, strict, self-contained; its Python runs, its twins hold."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from brainlens.data.sample import copy_to

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def test_every_page_stands_in_the_site_s_contents() -> None:
    contents = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    named = re.findall(r"([\w/-]+\.md)$", contents, re.M)
    assert sorted(named) == sorted(set(named))
    assert set(named) == {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}


@pytest.mark.slow
def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))  # and 404.html
    for page in pages:
        text = page.read_text("utf-8")
        assert not re.findall(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//[^"]*"', text)
        assert not re.findall(r'<link[^>]+href="(?:https?:)?//[^"]*"', text), page
    for sheet in tmp_path.rglob("*.css"):
        assert not re.findall(r"url\([\"']?(?:https?:)?//", sheet.read_text("utf-8")), sheet
    assert "index_folders" in (tmp_path / "api.html").read_text("utf-8")


@pytest.mark.slow
def test_the_python_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "api.md").read_text("utf-8"), re.S)
    copy_to(tmp_path / "scans")
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "250 images, 0 that cannot be read"
    assert re.fullmatch(r"\d+ pairs of twins", said[1])
    assert len(said) == 3


def test_the_twins_of_the_page_are_those_of_their_json() -> None:
    text = (DOCS / "leakage.md").read_text("utf-8")
    held = json.loads((DOCS / "results" / "twins.json").read_text("utf-8"))
    for one in held["twins"]:
        assert f"| {one['change']} | {one['r']:.3f} |" in text
    for one in held["not twins"]:
        assert f"{one['r as it lies']:.3f}" in text
        assert not one["found"]


def test_the_audit_still_tells_them_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.twin_pictures import measured

    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path))
    held = json.loads((DOCS / "results" / "twins.json").read_text("utf-8"))
    found, _ = measured()
    for now, then in zip(found["twins"], held["twins"], strict=True):
        assert now["change"] == then["change"]
        assert now["r"] == pytest.approx(then["r"], abs=0.01)
    assert [one["file"] for one in found["not twins"]] == [
        one["file"] for one in held["not twins"]
    ]  # fmt: skip
    assert not any(one["found"] for one in found["not twins"])
