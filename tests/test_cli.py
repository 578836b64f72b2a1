"""The command line as a user meets it: results, one-line errors, exit codes."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from brainlens.data.index import COLUMNS
from tests.classify.conftest import draw

FAST = ["--set", "backbone=cnn_c", "--set", "size=32", "--set", "hidden=[8]", "--set", "epochs=1",
        "--set", "tune=all"]  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded pictures go to a folder of the test's own."""
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "cache"))


class Command:
    """Runs `brainlens` in this process, as its entry point does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        from brainlens.cli import main

        self.monkeypatch.setattr(sys, "argv", ["brainlens", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *self.capsys.readouterr()


@pytest.fixture
def brainlens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


def is_one_line(code: int, out: str, err: str) -> str:
    """The message of a refused command: exit code 2, nothing printed, one line."""
    assert code == 2, err
    assert out == ""
    assert err.startswith("brainlens: ")
    assert len(err.strip().splitlines()) == 1, err
    return err


def test_the_whole_road(brainlens: Command, tmp_path: Path) -> None:
    draw(tmp_path / "scans")
    (tmp_path / "scans" / "none" / "broken.png").write_bytes(b"no picture")
    index, run, judged = tmp_path / "index.csv", tmp_path / "run", tmp_path / "eval"
    code, out, err = brainlens("index", tmp_path / "scans", "-o", index)
    assert code == 0
    assert "broken.png" in out
    assert "1 files skipped" in out
    assert f"wrote {index}" in err
    code, out, _ = brainlens("split", index, "--test", "0.25", "--val", "0.25")
    assert code == 0
    assert "protocol grouped, seed 0" in out
    code, out, err = brainlens("train", index, "-o", run, *FAST)
    assert code == 0, err
    assert "best epoch 1" in out
    code, out, _ = brainlens("evaluate", run, index, "-o", judged)
    assert code == 0
    assert "no known leak" in out
    code, out, err = brainlens("report", run, judged, "-o", tmp_path / "report.html")
    assert (code, out) == (0, ""), err
    assert "<html" in (tmp_path / "report.html").read_text()
    image = tmp_path / "scans" / "none" / "0.png"
    broken = tmp_path / "scans" / "none" / "broken.png"
    code, out, err = brainlens("predict", "--model", run, image, broken, "--json")
    assert code == 0
    (answer,) = json.loads(out)
    assert answer["path"] == str(image)
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert "1 of 2 files skipped" in err
    code, out, _ = brainlens("predict", "--model", run, image.parent, "--csv")
    assert len(list(csv.DictReader(io.StringIO(out)))) == 24
    code, out, _ = brainlens("predict", "--model", run, image)
    assert "not a medical device" in out
    # The second run of each command that writes is refused in one line, and done on request.
    for command in (
        ["index", tmp_path / "scans", "-o", index],
        ["train", index, "-o", run, *FAST],
        ["evaluate", run, index, "-o", judged],
    ):
        assert "--overwrite" in is_one_line(*brainlens(*command))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian"], "did you mean 'train'?"),
        (["train"], "INDEX"),
        (["index", "nowhere"], "no such folder"),
        (["split", "nowhere.csv"], "brainlens index"),
        (["train", "nowhere.csv", "-o", "run"], "no such file"),
        (["train", "x.csv", "-o", "r", "--set", "epoch=3"], "did you mean 'epochs'?"),
        (["train", "x.csv", "-o", "r", "--set", "optimizer=adem"], "did you mean 'adam'?"),
        (["train", "x.csv", "-o", "r", "--set", "epochs=many"], "expected int"),
        (["train", "x.csv", "-o", "r", "--recipe", "lite"], "did you mean 'lite0'?"),
        (["predict", "--model", "nowhere", "x.png"], "no such checkpoint"),
        (["report", "nowhere"], "nowhere"),
        (["study", "demo-stdy", "x.csv", "-o", "s"], "did you mean 'demo-study'?"),
        (["study", "demo-study", "x.csv", "-o", "s"], "no such file"),
        (["study", "none.toml", "x.csv", "-o", "s"], "none.toml: no such file"),
        (["study", "demo-study", "x.csv", "-o", "s", "--replicates", "0"], "--replicates"),
        (["evaluate", "nowhere", "x.csv", "-o", "e"], "brainlens train"),
        (["split", "x.csv", "--protocol", "rando"], "random"),
        (["index", "--outt", "x", "y"], "--outt"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_that_helps(
    brainlens: Command, arguments: list[str], says: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert says in is_one_line(*brainlens(*arguments))


def test_a_split_replaces_its_own_index_and_no_other(brainlens: Command, tmp_path: Path) -> None:
    index, other = tmp_path / "index.csv", tmp_path / "other.csv"
    brainlens("index", draw(tmp_path / "scans"), "-o", index)
    for _ in range(2):
        code, _, _ = brainlens("split", index)
        assert code == 0
    other.write_text("precious")
    assert "other.csv: exists" in is_one_line(*brainlens("split", index, "-o", other))
    assert other.read_text() == "precious"
    code, _, _ = brainlens("split", index, "-o", other, "--overwrite")
    assert code == 0
    assert other.read_text() == index.read_text()


def test_an_unknown_backbone_names_the_nearest(brainlens: Command, tmp_path: Path) -> None:
    index = tmp_path / "index.csv"
    brainlens("index", draw(tmp_path / "scans"), "-o", index)
    brainlens("split", index, "--test", "0.25", "--val", "0.25")
    err = is_one_line(*brainlens("train", index, "-o", tmp_path / "r", "--set", "backbone=vgg61"))
    assert "did you mean 'vgg16'" in err


def test_recipes_are_listed_with_what_they_are(brainlens: Command) -> None:
    code, out, _ = brainlens("recipes")
    assert code == 0
    assert all(len(line.split(maxsplit=1)) == 2 for line in out.splitlines())
    assert "lite0" in out


def test_every_command_has_help() -> None:
    from brainlens.cli import commands

    for name, command in commands.commands.items():
        assert command.help, name
        options = [p for p in command.params if isinstance(p, click.Option)]
        assert all(option.help or option.name == "seed" for option in options), name


def test_a_closed_pipe_is_no_fault(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m brainlens.cli --help | head -1",
        shell=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


def test_every_recipe_resolves() -> None:
    from brainlens.classify.config import TrainConfig
    from brainlens.classify.plan import plan
    from brainlens.core.config import resolve
    from brainlens.recipes import list_recipes, read_recipe, recipe_text
    from brainlens.study.design import read_design

    for name, what in list_recipes():
        assert what, name
        if "[factors]" in recipe_text(name):
            design = read_design(name)
            plan(design.run(design.levels(0), next(iter(design.arms)), 0))
        else:
            plan(resolve(TrainConfig, read_recipe(name)), ["glioma", "none"])


@pytest.mark.parametrize("words", [("train",), ("study", "a-taguchi-l9")])
def test_an_index_without_a_split_is_refused_before_torch_is_loaded(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    row = "a.png,none,d,p,9,9,L,g,,,real,"
    (tmp_path / "all.csv").write_text(f"{','.join(COLUMNS[:12])}\n{row}\n", "utf-8")
    script = (
        "import sys; from brainlens.cli import main\n"
        "try: main()\n"
        "finally: assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", script, *words, "all.csv", "-o", "run"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "all.csv: has no train images. Split it first: brainlens split all.csv"
    )
    assert not (tmp_path / "run").exists()
