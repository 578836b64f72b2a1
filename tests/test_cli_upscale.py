"""The commands of `brainlens upscale`, as typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.cli import commands, main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    y, x = np.mgrid[:80, :96]
    path = tmp_path / "in" / "a.png"
    path.parent.mkdir()
    Image.fromarray((120 + 100 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def brainlens(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command as typed: exit code, standard output, standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["brainlens", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as error:
            code = int(error.code or 0)
        return code, *capsys.readouterr()

    return run


def test_pictures_are_the_default_command(
    picture: Path, tmp_path: Path, brainlens: Command
) -> None:
    code, out, err = brainlens("upscale", picture, "-o", tmp_path / "out",
                         "--method", "bicubic", "--compare")  # fmt: skip
    assert code == 0, err
    assert "a.png\t384 x 320" in out
    assert "not for diagnosis" in err
    assert (tmp_path / "out" / "a.compare.png").is_file()
    code, _, err = brainlens("upscale", picture, "-o", tmp_path / "out",
                       "--method", "bicubic")  # fmt: skip
    assert code == 2
    assert "exists" in err


def test_score_ranks_the_classics(picture: Path, tmp_path: Path, brainlens: Command) -> None:
    code, out, err = brainlens(
        "upscale", "score", picture.parent, "--method", "nearest", "--method",
        "bicubic", "--no-lpips", "-o", tmp_path / "s.json",
    )  # fmt: skip
    assert code == 0, err
    figures = json.loads((tmp_path / "s.json").read_text())
    assert figures["mean"]["bicubic"]["psnr_y"] > figures["mean"]["nearest"]["psnr_y"]
    assert f"{figures['mean']['bicubic']['psnr_y']:.2f}" in out
    assert len(figures["rows"]) == 2


@pytest.mark.parametrize(
    "words",
    [["upscale", "absent.png", "-o", "out", "--method", "nearest"],
     ["upscale", "score", "absent"],
     ["upscale", "train", "absent.csv", "-o", "run"],
     ["upscale", "train", "absent.csv", "-o", "run", "--set", "bloks=3"],
     ["upscale", "a.png", "-o", "out", "--weights", "absent.onnx"],
     ["upscale", "export", "-o", "x.onnx", "--weights", "absent.pth"]],
)  # fmt: skip
def test_wrong_input_is_one_line_and_exit_2(words: list[str], brainlens: Command) -> None:
    code, _, err = brainlens(*words)
    assert code == 2
    assert len([line for line in err.splitlines() if line.startswith("brainlens: ")]) == 1


def test_every_command_and_option_has_help() -> None:
    group = commands.commands["upscale"]
    assert group.commands.keys() == {"pictures", "score", "train", "export"}  # type: ignore[attr-defined]
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        assert command.help, name
