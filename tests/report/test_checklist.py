"""CLAIM and TRIPOD+AI are filled in as far as the files answer, and no further."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from brainlens.cli.pages import report
from brainlens.core.errors import ConfigError, OutputError, UserError
from brainlens.report.checklist.evidence import Evidence, gather
from brainlens.report.checklist.items import Filled, fill
from brainlens.report.checklist.page import CHECKLISTS, write_checklist

Make = Callable[..., Path]
TRAINED = {"digest": "sha256:train99", "images": {"train": 300}, "labels": ["glioma", "none"]}


@pytest.fixture
def folders(make_run: Make, make_evaluation: Make, tmp_path: Path) -> list[Path]:
    """A run, its evaluation and its audit."""
    audit = tmp_path / "audit"
    audit.mkdir()
    held = {"kind": "audit", "counts": {"images": 340, "unfit": 7}}
    (audit / "audit.json").write_text(json.dumps(held))
    return [make_run(index=TRAINED), make_evaluation(), audit]


def filled(name: str, folders: list[Path]) -> dict[str, Filled]:
    return {one.item.number: one for one in fill(CHECKLISTS[name][1], gather(folders))}


def test_the_checklists_have_all_their_items_once() -> None:
    claim = [item.number for item in CHECKLISTS["claim"][1]]
    assert claim == [str(number) for number in range(1, 45)]
    tripod = [item.number for item in CHECKLISTS["tripod"][1]]
    assert len(tripod) == len(set(tripod)) == 52
    assert list(dict.fromkeys(re.sub(r"\D", "", number) for number in tripod)) == [
        str(number) for number in range(1, 28)
    ]


def test_what_the_files_know_is_answered_with_its_place(folders: list[Path]) -> None:
    found = filled("claim", folders)
    (whole,) = found["37"].said
    assert found["37"].state == "answered"
    assert whole.text.startswith("accuracy 92.5 % (83.1-97.7); balanced accuracy 92.0 %")
    assert whole.where == (folders[1] / "metrics.json").as_posix()
    assert "glioma (n = 30): sensitivity 96.7 % (91.7-100.0)" in found["38"].said[0].text
    assert found["39"].said[0].text == "3 of 40 wrong: 2 none as glioma, 1 glioma as none, ..."
    assert "no judged image" in found["20"].said[0].text
    assert "40 judged images with 300 learned" in found["20"].said[0].text
    assert found["8"].state == "in part"
    assert found["8"].said[0].text.startswith("340 images audited, 7 found unfit")
    assert "seed 17" in found["24"].said[0].text
    assert "val_accuracy" in found["26"].said[0].text


@pytest.mark.parametrize("name", CHECKLISTS)
def test_what_only_an_author_knows_stays_open(name: str, folders: list[Path]) -> None:
    for one in filled(name, folders).values():
        if not one.item.answers:
            assert one.state == "open"
            assert one.item.author
    # Nobody but the author knows of ethics, funding, readers.
    closed = {
        "claim": ["3", "11", "14", "16", "34", "44"],
        "tripod": ["3c", "8b", "14", "17", "18a"],
    }
    assert all(filled(name, folders)[number].state == "open" for number in closed[name])


@pytest.mark.parametrize("name", CHECKLISTS)
def test_without_files_nothing_is_answered(name: str) -> None:
    assert {one.state for one in fill(CHECKLISTS[name][1], Evidence())} == {"open"}


def test_a_leak_stands_in_every_figure_that_could_be_quoted(
    make_evaluation: Make,
) -> None:
    leakage = {"allowed": True, "copies": 3, "twins": 1, "same_group": 2, "clean": None}
    evaluation = make_evaluation(leakage=leakage)
    found = filled("claim", [evaluation])
    assert (
        found["20"]
        .said[0]
        .text.startswith(
            "NOT DISJOINT: of the judged images the model had seen 3 copies, 1 twins, 2 group"
        )
    )
    for number in ("32", "37", "38"):
        assert found[number].said[0].text.startswith("LEAKING")
    assert "unseen" not in found["32"].said[0].text
    assert found["40"].said[0].text.startswith("TEST IMAGES LEAK")


def test_the_page_says_how_much_is_answered_and_by_whom(
    folders: list[Path], tmp_path: Path
) -> None:
    said = write_checklist("tripod", folders, tmp_path / "tripod.md")
    text = (tmp_path / "tripod.md").read_text("utf-8")
    assert said in text
    answered, part, still = (int(number) for number in re.findall(r"\d+", said)[1:])
    assert answered + part + still == 52
    assert text.count("| answered |") == answered
    assert text.count("| open |") == still
    write_checklist("tripod", folders, tmp_path / "tripod.html")
    page = (tmp_path / "tripod.html").read_text("utf-8")
    assert page.count("<tr>") == 53
    assert "http" not in page


def test_names_in_the_files_cannot_break_the_page(make_evaluation: Make, tmp_path: Path) -> None:
    labels = ["<b>|x", "none"]
    rows = {"<b>|x": {"support": 1}, "none": {"support": 2}}
    evaluation = make_evaluation(labels=labels, per_class=rows)
    write_checklist("claim", [evaluation], tmp_path / "claim.html")
    assert "<b>" not in (tmp_path / "claim.html").read_text("utf-8")
    write_checklist("claim", [evaluation], tmp_path / "claim.md")
    text = (tmp_path / "claim.md").read_text("utf-8")
    assert "<b>\\|x" in text


def test_a_checklist_is_about_one_model(
    folders: list[Path], make_run: Make, make_evaluation: Make, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="second evaluation"):
        gather([*folders, make_evaluation("other")])
    with pytest.raises(UserError, match="is of another run"):
        gather([make_run("stranger"), folders[1]])
    with pytest.raises(UserError, match="expected a run, an evaluation or an audit"):
        gather([tmp_path])
    with pytest.raises(ConfigError, match="did you mean 'claim'"):
        write_checklist("clam", folders, tmp_path / "clam.md")
    with pytest.raises(OutputError, match=r"\.md or \.html"):
        write_checklist("claim", folders, tmp_path / "claim.pdf")


def test_the_command_writes_the_checklist(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(report, [*map(str, folders), "--checklist", "claim"])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("of 44 items the files answer ")
    assert (tmp_path / "claim.md").is_file()
    assert not (tmp_path / "report.html").exists()
