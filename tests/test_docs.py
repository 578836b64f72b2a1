"""The documents are true: their commands run, their tables are the code, their links lead on."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
from pathlib import Path

import pytest

from brainlens.classify.backbones import BACKBONES
from brainlens.classify.config import TrainConfig
from brainlens.data.degrade import DEGRADATIONS
from brainlens.data.index import COLUMNS
from brainlens.data.laying import TWIN
from brainlens.data.quality import CHECKS
from brainlens.recipes import list_recipes, read_published
from brainlens.reproduce.claims import read_claim
from brainlens.reproduce.protocols import PROTOCOLS
from brainlens.reproduce.sets import ALIASES
from tests.commands import run, small_sample

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ROAD = [
    "README.md", "docs/your-own-folder.md", "docs/training.md", "docs/evaluation.md",
    "docs/predicting.md", "docs/audit.md", "docs/study.md", "docs/reproduce.md", "docs/doctor.md",
    "docs/first-result.md", "docs/reading-the-report.md", "docs/leakage.md", "docs/hospital.md",
    "docs/scaling.md", "docs/index.md", "docs/checklists.md",
]  # fmt: skip


def commands(page: Path) -> list[str]:
    """The lines of a page's console snippets."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.S)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.slow
def test_every_command_of_the_documents_runs(tmp_path: Path) -> None:
    small_sample(tmp_path / "scans")
    environment = os.environ | {"BRAINLENS_CACHE": str(tmp_path / "cache")}
    written: set[str] = set()
    for name in ROAD:
        for line in commands(ROOT / name):
            command, _, remark = line.partition("#")
            words = shlex.split(command)[1:]
            if line in written:
                continue
            written.add(line)
            if words[0] == "train":
                words += ["--set", "epochs=2", "--overwrite"]
            elif words[0] in ("index", "audit", "evaluate", "export") or (
                words[0] == "study" and "--resume" not in words
            ):
                words.append("--overwrite")
            code, said = run(words, tmp_path, environment)
            expected = 2 if "exits 2" in remark else 0
            assert code == expected, f"{name}: {line}\n{said}"


def test_the_settings_table_is_the_code() -> None:
    text = (ROOT / "docs" / "training.md").read_text("utf-8")
    table = dict(re.findall(r"^\| `(\w+)` \| `?([^`|]*?)`? \|", text, re.M))
    for field in dataclasses.fields(TrainConfig):
        shown = "the backbone's" if field.default is None else str(field.default)
        expected = shown.lower() if isinstance(field.default, bool) else shown
        assert table[field.name] == expected, field.name


def test_every_backbone_and_column_is_documented() -> None:
    training = (ROOT / "docs" / "training.md").read_text("utf-8")
    assert all(f"`{name}`" in training for name in BACKBONES)
    files = (ROOT / "docs" / "files.md").read_text("utf-8")
    assert all(f"`{name}`" in files for name in COLUMNS)


def test_every_quality_flag_is_documented_with_its_threshold() -> None:
    text = (ROOT / "docs" / "audit.md").read_text("utf-8")
    for name, check in CHECKS.items():
        means = "unfit" if check.drop else "told"
        expected = f"| `{name}` | {check.side} {check.threshold:g}: {check.why} | {means} |"
        assert expected in text
    assert f"correlation {TWIN:g}" in text


def test_the_audit_s_figures_are_those_of_their_json() -> None:
    text = (ROOT / "docs" / "audit.md").read_text("utf-8")
    held = json.loads((ROOT / "docs" / "results" / "audit-mri.json").read_text("utf-8"))
    for label, own in held["leaks"]["test"].items():
        numbers = " | ".join(str(own[name]) for name in ("images", "copy", "twin", "leaking"))
        assert f"| {label} | {numbers} |" in text
    counts = held["counts"]
    said = " ".join(text.split())
    assert f"{counts['images']:,} images, {counts['copies']} exact copies" in said
    assert f"{counts['twin_pairs']} pairs of twins, {counts['groups_before']:,} groups" in said
    assert f"{counts['conflicts']} label conflicts" in said
    assert f"{counts['unfit']} unfit images" in said
    for name, own in held["known"]["sets"].items():
        assert f"| {name} | {own['images']:,} | {own['other label']} |" in text


def test_the_designs_of_the_documents_are_designs() -> None:
    import tomllib

    from brainlens.study.design import DesignConfig, parse_design

    text = (ROOT / "docs" / "study.md").read_text("utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.S)
    assert parse_design(tomllib.loads(block), "docs").array == "L9(3^4)"
    named = set(tomllib.loads(block)["design"]) | {"runs", "seed"}
    assert named == {field.name for field in dataclasses.fields(DesignConfig)}


def test_the_degradations_are_documented_as_they_are() -> None:
    text = (ROOT / "docs" / "evaluation.md").read_text("utf-8")
    for name, row in DEGRADATIONS.items():
        severities = ", ".join(f"{severity:g}" for severity in row.severities)
        assert f"| `{name}` | {severities} | {row.unit} |" in text


def test_recipes_protocols_and_sets_are_documented_as_they_are() -> None:
    text = (ROOT / "docs" / "reproduce.md").read_text("utf-8")
    for name, _ in list_recipes():
        if read_published(name):
            claim = read_claim(name)
            assert f"`{claim.seed_protocol}` | `{claim.clean_protocol}` |" in text
            told = f"{round(100 * claim.accuracy, 3):g} %" if claim.accuracy else ""
            assert f"| `{name}` | {told}" in text
    for name, row in PROTOCOLS.items():
        assert f"| `{name}` | {row.words} | {'yes' if row.leaks else 'no'} |" in text
    assert all(f"| `{name}` |" in text for name in ALIASES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_the_tables_of_results_are_those_of_their_json() -> None:
    from tools.results_table import filled, pages

    for page in pages():
        assert filled(page) == page.read_text("utf-8"), (
            f"run python -m tools.results_table ({page})"
        )


def test_every_reproduction_shows_its_learning_curves() -> None:
    page = ROOT / "docs" / "results" / "reproduce.md"
    text = page.read_text("utf-8")
    for path in (page.parent / "reproduce").glob("*.json"):
        for column in json.loads(path.read_text("utf-8"))["columns"]:
            for what in ("accuracy", "loss"):
                name = f"reproduce/{path.stem}-{column['arm']}-{what}.svg"
                assert f"]({name})" in text, "run python -m tools.reproduce_curves"
                assert (page.parent / name).read_text("utf-8").startswith("<svg")


def test_the_table_of_leaking_protocols_is_that_of_its_json() -> None:
    from tools.seed_leaks import filled

    page = (ROOT / "docs" / "results" / "leaks.md").read_text("utf-8")
    result = json.loads((ROOT / "docs" / "results" / "leaks.json").read_text("utf-8"))
    assert filled(page, result) == page


def test_the_stated_precision_is_that_of_its_json() -> None:
    text = " ".join((ROOT / "docs" / "audit.md").read_text("utf-8").split())
    held = json.loads((ROOT / "docs" / "results" / "audit-precision.json").read_text("utf-8"))
    verdicts = held["verdicts"]
    assert f"{held['pairs found']:,} pairs" in text
    assert f"{held['not in the manifest']} of them" in text
    assert f"{verdicts.get('true', 0)} are true" in text
    assert f"precision {held['precision']:.3f}" in text
    assert "not looked at" not in verdicts


def test_the_stated_rates_of_what_is_no_slice_are_those_of_their_json() -> None:
    text = " ".join((ROOT / "docs" / "audit.md").read_text("utf-8").split())
    held = json.loads((ROOT / "docs" / "results" / "audit-rates.json").read_text("utf-8"))
    rates = held["rates"]

    def found(flag: str, *names: str) -> int:
        return int(sum(round(rates[name][flag] * rates[name]["images"]) for name in names))

    scans = ("sartaj", "figshare_extra", "navoneel", "br35h_unique")
    for flag, words in (
        ("not-a-slice", "all 199 paintings of Van Gogh are found, all 19 test pictures"),
        ("not a slice in grey", "(195, 19 and 79 before"),
    ):
        counts = [found(flag, "Van Gogh"), found(flag, "Set5", "Set14"), found(flag, "photos")]
        expected = [199, 19, 97] if flag == "not-a-slice" else [195, 19, 79]
        assert counts == expected
        assert words in text
        assert found(flag, *scans) == 15
    assert "97 of 100 photos" in text
    assert "15 of 3,929 scans" in text
