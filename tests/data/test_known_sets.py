"""A folder that holds images of public sets is told so, wherever they came from."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from brainlens.cli import commands
from brainlens.data.known_sets import FILE, known_sets, sets_of
from brainlens.data.sample import copy_to

Told = Callable[..., tuple[dict[str, object], str]]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[dict, str]]:  # type: ignore[type-arg]
    """Index and audit `scans`; answers what audit.json says of known sets, and the terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "cache"))

    def run(*words: str) -> tuple[dict, str]:  # type: ignore[type-arg]
        for line in (["index", "scans"], ["audit", "index.csv", "--overwrite", *words]):
            done = CliRunner().invoke(commands, [*line, "--overwrite"])
            assert done.exit_code == 0, done.output
        return json.loads(Path("audit/audit.json").read_text("utf-8")), done.output

    return run


def test_the_sets_come_with_the_package_and_are_small() -> None:
    sets = known_sets()
    count = {name: 0 for name in ("sartaj", "Cheng", "navoneel", "Br35H")}
    for row in sets.rows:
        for name in sets_of(row):
            count[name] += 1
    # figshare_id is given for 1,854 of sartaj's images and all 587 others.
    assert count == {"sartaj": 2773, "Cheng": 1854 + 587, "navoneel": 253, "Br35H": 316}
    assert FILE.stat().st_size < 1_000_000
    assert all(not row.digest and not row.patient for row in sets.rows)


def test_the_synthetic_sample_is_of_no_public_set(told: Told, tmp_path: Path) -> None:
    copy_to(tmp_path / "scans")
    found, said = told()
    assert found["known"]["known"] == 0  # type: ignore[index]
    assert "none of the images is known" in said


def test_a_known_image_is_recognised_after_a_re_upload(
    told: Told, shared: Path, tmp_path: Path
) -> None:
    mri = shared / "data" / "mri"
    names = {"no": mri / "navoneel" / "no", "glioma": mri / "figshare_extra" / "glioma"}
    for label, folder in names.items():
        (tmp_path / "scans" / label).mkdir(parents=True)
        for i, path in enumerate(sorted(folder.iterdir())[:12]):
            with Image.open(path) as image:
                grey = image.convert("L").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
                size = round(0.8 * grey.width), round(0.8 * grey.height)
                grey.resize(size).save(tmp_path / "scans" / label / f"{i}.jpg", quality=80)
    found, said = told()
    known = found["known"]
    assert known["known"] >= 23  # type: ignore[index]
    assert known["sets"]["Cheng"]["twin"] == 12  # type: ignore[index]
    assert known["sets"]["navoneel"]["copy"] == 0  # type: ignore[index]
    assert "of 24 images are known from public sets" in said
    assert "Cheng: 12" in said
    found, said = told("--no-known-sets")
    assert found["known"] is None
    assert found["certificate"]["known sets"] == "not looked for"  # type: ignore[index]
    assert "public sets" not in said


def test_cheng_s_label_of_the_four_mislabelled_files_is_a_conflict(
    told: Told, shared: Path, tmp_path: Path
) -> None:
    mri = shared / "data" / "mri"
    with (mri / "manifest.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["set"] == "sartaj"]
    wrong = [row for row in rows if row["figshare_label"] not in ("", row["label"])]
    assert len(wrong) == 4
    right = [row for row in rows if row["figshare_label"] == row["label"] == "pituitary"][:5]
    expected = set()
    for row in [*wrong, *right]:
        source = mri / row["file"]
        target = tmp_path / "scans" / "pituitary" / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        if row in wrong:
            expected.add(f"scans/pituitary/{source.name}")
    found, said = told()
    conflicts = [c for c in found["conflicts"] if c["kind"] == "known to Cheng"]  # type: ignore[attr-defined]
    assert {path for c in conflicts for path in c["paths"]} == expected
    assert {tuple(c["labels"]) for c in conflicts} == {("pituitary", "meningioma")}
    assert "4 labelled otherwise there" in said


def test_names_of_classes_that_say_nothing_contradict_nothing(
    told: Told, shared: Path, tmp_path: Path
) -> None:
    source = shared / "data" / "mri" / "figshare_extra" / "glioma"
    for label in ("a", "b"):
        (tmp_path / "scans" / label).mkdir(parents=True)
        path = sorted(source.iterdir())[label == "b"]
        (tmp_path / "scans" / label / path.name).write_bytes(path.read_bytes())
    found, _ = told()
    assert found["known"]["sets"]["Cheng"]["copy"] == 2  # type: ignore[index]
    assert found["conflicts"] == []
