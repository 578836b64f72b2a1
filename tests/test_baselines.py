"""The comparison with other tools: one script each, and answers that are judged alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.baselines.__main__ import HERE, TOOLS, judged, lines_of
from brainlens.data.index import Row


def test_every_tool_has_one_script() -> None:
    scripts = [path.stem for path in HERE.iterdir() if path.stem[0] != "_"]
    assert sorted(scripts) == sorted(TOOLS)


def test_lines_that_carry_code_are_counted(tmp_path: Path) -> None:
    script = tmp_path / "tool.py"
    script.write_text(
        '"""Says\n\nmuch."""\n\n# why\nx = (1,\n  2)  # two\n\n\n'
        'def f():\n    "no"\n    y = """a\n\nb"""\n'
    )
    assert lines_of(script) == 6  # x and 2, def, the three lines of y
    shell = tmp_path / "tool.sh"
    shell.write_text("# what\nset -e\n\nrun  # it\n")
    assert lines_of(shell) == 2


def row(name: str, label: str, group: str) -> Row:
    return Row(f"test/{label}/{name}", label, "", "", 1, 1, "L", group, split="test")


def test_answers_of_every_dialect_are_judged_over_groups(tmp_path: Path) -> None:
    files = {name: row(name, label, group) for name, label, group in (
        ("a.png", "none", "g1"), ("b.png", "none", "g1"), ("c.png", "glioma", "g2"),
    )}  # fmt: skip
    table = [("c.png", 0.9, 0.1), ("a.png", 0.2, 0.8), ("b.png", 0.6, 0.4)]
    plain, own = tmp_path / "plain.csv", tmp_path / "own.csv"
    plain.write_text("file,glioma,none\n" + "".join(f"{n},{p},{q}\n" for n, p, q in table))
    own.write_text("path,p_none,p_glioma\n" + "".join(f"x/{n},{q},{p}\n" for n, p, q in table))
    figures = judged(plain, files)
    assert figures == judged(own, files)
    assert (figures["images"], figures["groups"]) == (3, 2)
    assert figures["metrics"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert figures["sensitivity"]["none"]["value"] == pytest.approx(1 / 2)


def test_an_image_without_an_answer_is_no_result(tmp_path: Path) -> None:
    answers = tmp_path / "answers.csv"
    answers.write_text("file,glioma\na.png,1\n")
    files = {name: row(name, "glioma", "g") for name in ("a.png", "b.png")}
    with pytest.raises(AssertionError, match="not every test image"):
        judged(answers, files)
