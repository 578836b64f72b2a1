"""docs/architecture.md is true: its diffs fit the code, and what they add works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
DIFFS = re.findall(r"```diff\n--- (\S+)\n(.*?)```", PAGE, re.S)

USE = """
import numpy as np, torch
from sklearn.metrics import matthews_corrcoef
from brainlens.classify.backbones import backbone
from brainlens.classify.config import TrainConfig
from brainlens.cli import commands
from brainlens.core.config import resolve
from brainlens.doctor.stores import WEIGHTS
from brainlens.generative.cyclegan import build
from brainlens.generative.styleconfig import StyleConfig, generator_shape
from brainlens.metrics.classification import confusion_by_group, matthews
from brainlens.metrics.judgement import judge
from brainlens.recipes import read_recipe
from brainlens.report.sections import METRICS

row = backbone(resolve(TrainConfig, read_recipe("resnet18")).backbone)
assert row.build()(torch.zeros(1, 3, 64, 64)).shape == (1, 512, 2, 2)
assert row.weights in WEIGHTS
painter = build(generator_shape(resolve(StyleConfig, {"generator": "plain", "width": 4})))
assert painter(torch.zeros(1, 3, 8, 8)).shape == (1, 3, 8, 8)
draw = np.random.default_rng(0)
true, said = draw.integers(0, 3, 90), draw.integers(0, 3, 90)
said[:45] = true[:45]
counts = confusion_by_group(true, said, np.arange(90), 3).sum(0)
assert abs(matthews(counts) - matthews_corrcoef(true, said)) < 1e-12
figure = judge(true, np.eye(3)[said], np.arange(90), ["a", "b", "c"])["metrics"]["matthews"]
assert figure["low"] < figure["value"] < figure["high"]
assert "matthews" in METRICS
assert commands.commands["labels"].help
"""


def halves(diff: str) -> tuple[str, str]:
    """The lines a diff expects, and those it leaves."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    return before, after


def test_there_is_an_example_of_everything_one_may_add() -> None:
    assert len(DIFFS) == PAGE.count("```diff")
    for what in ("backbone", "recipe", "generator", "metric", "command"):
        assert f"### A {what}\n" in PAGE


@pytest.mark.parametrize(("file", "diff"), DIFFS, ids=lambda value: value[:40])
def test_every_diff_fits_the_code_in_one_place(file: str, diff: str) -> None:
    before, _ = halves(diff)
    if before:
        assert (ROOT / file).read_text("utf-8").count(before) == 1
    else:
        assert not (ROOT / file).exists()


def test_every_function_of_the_tables_exists() -> None:
    for module, name in re.findall(r"^\| `[\w ]+` \| `([\w.]+)\.(\w+)` \|", PAGE, re.M):
        file = ROOT / "src" / "brainlens" / f"{module.replace('.', '/')}.py"
        assert f"\ndef {name}(" in file.read_text("utf-8"), (module, name)


@pytest.mark.slow
def test_what_the_diffs_add_works(tmp_path: Path) -> None:
    left_out = shutil.ignore_patterns("__pycache__", "*.onnx", "*.npz", "*.jpg")
    shutil.copytree(ROOT / "src" / "brainlens", tmp_path / "src" / "brainlens", ignore=left_out)
    for file, diff in DIFFS:
        before, after = halves(diff)
        path = tmp_path / file
        path.write_text(path.read_text("utf-8").replace(before, after) if before else after)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    done = subprocess.run(
        [sys.executable, "-c", USE], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
