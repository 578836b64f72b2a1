"""What goes wrong around an audit ends in one line that says what to do."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from brainlens.cli import commands
from brainlens.core.errors import ImageError, IndexFileError, OutputError
from brainlens.data import looks


def run(*words: str) -> str:
    """What a command says; its errors are raised."""
    result = CliRunner().invoke(commands, words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def picture(seed: int) -> Image.Image:
    """A textured disc on black, 160 x 160."""
    rng = np.random.default_rng(seed)
    rough = Image.fromarray(rng.normal(0, 1, (12, 12)).astype(np.float32))
    texture = np.asarray(rough.resize((160, 160), Image.Resampling.BICUBIC))
    y, x = np.mgrid[-1:1:160j, -1:1:160j]
    disc = np.hypot(x / rng.uniform(0.7, 0.9), y / rng.uniform(0.7, 0.9)) < 1
    return Image.fromarray(np.clip(disc * (110 + 40 * texture), 0, 255).astype(np.uint8))


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of three pictures below `scans/`, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "cache"))
    for i in range(6):
        path = Path("scans") / ("glioma", "none")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(i).save(path)
    return Path("scans")


def found() -> dict:  # type: ignore[type-arg]
    return json.loads(Path("audit/audit.json").read_text("utf-8"))  # type: ignore[no-any-return]


def test_an_unreadable_folder_is_named(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.listdir

    def denied(place: Path) -> list[str]:
        if Path(place).name == "glioma":
            raise PermissionError(13, "Permission denied")
        return real(place)

    monkeypatch.setattr(os, "listdir", denied)
    with pytest.raises(ImageError, match="glioma: got Permission denied; expected a readable fold"):
        run("index", "scans")


def test_an_unreadable_image_is_named(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("index", "scans")

    def denied(path: str, *how: Any, **more: Any) -> Any:
        if path.endswith("3.png"):
            raise PermissionError(13, "Permission denied")
        return open(path, *how, **more)

    monkeypatch.setattr(looks, "open", denied, raising=False)
    with pytest.raises(ImageError, match=r"3\.png: got Permission denied; expected a readable"):
        run("audit", "index.csv")


def test_sixteen_bits_and_eight_of_one_picture_are_twins(scans: Path) -> None:
    eight = np.asarray(Image.open(scans / "none" / "1.png"))
    deep = Image.fromarray(eight.astype(np.uint16) * 257)
    deep.save(scans / "none" / "deep.png")
    run("index", "scans")
    said = run("audit", "index.csv")
    assert "1 pairs of twins" in said or "1 exact copies" in said
    modes = found()["modes"]
    assert modes["L"] == 6
    assert sum(modes.values()) == 7
    assert len(modes) == 2


def test_images_at_several_depths_are_of_their_class_or_told(scans: Path) -> None:
    deeper = scans / "glioma" / "hospital" / "patient 7"
    deeper.mkdir(parents=True)
    picture(7).save(deeper / "7.png")
    picture(8).save(scans / "8.png")
    said = run("index", "scans")
    assert "1 images in no class folder: scans/8.png" in said
    run("audit", "index.csv")
    assert found()["classes"]["glioma"]["images"] == 4


def test_images_that_moved_are_found_nearby_and_the_root_is_given(scans: Path) -> None:
    run("index", "scans")
    scans.rename("moved")
    with pytest.raises(IndexFileError, match=r"no such file, .* brainlens index moved -o index"):
        run("audit", "index.csv")
    run("index", "moved", "-o", "index.csv", "--overwrite")
    run("audit", "index.csv")


def test_an_index_that_moved_without_its_images_is_told_their_root(scans: Path) -> None:
    run("index", "scans")
    Path("below/deep").mkdir(parents=True)
    Path("index.csv").rename("below/deep/index.csv")
    with pytest.raises(IndexFileError, match="brainlens index scans -o index"):
        run("audit", "below/deep/index.csv")


def test_images_that_are_nowhere_say_where_they_should_be(scans: Path) -> None:
    run("index", "scans")
    for path in scans.rglob("*.png"):
        path.unlink()
    with pytest.raises(IndexFileError, match="below scans, or give the folder where they are now"):
        run("audit", "index.csv")


def test_one_image_in_two_classes_is_a_conflict_with_both_names(scans: Path) -> None:
    data = (scans / "glioma" / "0.png").read_bytes()
    (scans / "none" / "again.png").write_bytes(data)
    assert "1 groups carry more than one label" in run("index", "scans")
    said = run("audit", "index.csv")
    (conflict,) = found()["conflicts"]
    assert conflict["kind"] == "copy"
    assert set(conflict["paths"]) == {"scans/glioma/0.png", "scans/none/again.png"}
    assert set(conflict["labels"]) == {"glioma", "none"}
    assert "label conflicts: 1" in said


def test_an_audit_that_would_leave_nothing_says_so(scans: Path) -> None:
    for path in scans.rglob("*.png"):
        Image.fromarray(np.zeros((160, 160), np.uint8)).save(path)
    run("index", "scans")
    with pytest.raises(IndexFileError, match="every image is unfit, so --drop would leave none"):
        run("audit", "index.csv", "--drop")


def test_a_manifest_is_not_written_over(scans: Path) -> None:
    run("index", "scans")
    Path("set.npz").write_text("mine")
    with pytest.raises(OutputError, match=r"set\.npz: exists\. Give --overwrite"):
        run("audit", "index.csv", "--export-manifest", "set.npz")
    assert not Path("audit").exists()
    said = run("audit", "index.csv", "--export-manifest", "set.npz", "--overwrite")
    assert "wrote set.npz; it holds no picture, patient or file name" in said
    other = run("audit", "index.csv", "-o", "other", "--against", "set.npz")
    assert "in the other index" in other


def test_an_audit_that_fails_leaves_the_earlier_one(scans: Path) -> None:
    run("index", "scans")
    run("audit", "index.csv")
    before = {path: path.read_bytes() for path in Path("audit").iterdir()}
    (scans / "none" / "1.png").unlink()
    with pytest.raises(IndexFileError, match="no such file"):
        run("audit", "index.csv", "--overwrite")
    assert {path: path.read_bytes() for path in Path("audit").iterdir()} == before


def test_a_hash_manifest_in_the_place_of_an_index_is_told_where_it_goes(scans: Path) -> None:
    run("index", "scans")
    run("audit", "index.csv", "--export-manifest", "set.npz")
    with pytest.raises(IndexFileError, match=r"is a hash manifest; .* INDEX --against set\.npz"):
        run("audit", "set.npz", "-o", "other")
