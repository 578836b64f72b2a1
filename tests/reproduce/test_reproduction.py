"""`brainlens reproduce` end to end: three columns, leaks marked, nothing quick is quotable."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from brainlens.classify.evaluation import evaluate
from brainlens.classify.training import train
from brainlens.core.driving import InterruptedRunError
from brainlens.core.errors import ConfigError, IndexFileError, OutputError, RunError, WeightsError
from brainlens.data.manifest import read_manifest
from brainlens.data.sample import SAMPLE_DIR
from brainlens.recipes import list_recipes, read_published
from brainlens.report.page import write_report
from brainlens.report.reproduced import QUICK, summary, table
from brainlens.reproduce.reproduction import reproduce
from tests.classify.conftest import draw

TINY = {"size": 32, "hidden": [8], "device": "cpu"}
RECIPES = [name for name, _ in list_recipes() if read_published(name)]


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded pictures go to a folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAINLENS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets of drawn pictures, the one called navoneel; they share a picture."""
    folder = tmp_path_factory.mktemp("data")
    draw(folder / "navoneel", images=12)
    draw(folder / "other", images=12, seed=1)
    first = folder / "navoneel" / "glioma" / "0.png"
    (folder / "other" / "glioma" / "0.png").write_bytes(first.read_bytes())
    return folder


@pytest.fixture(scope="module")
def again(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seed C's recipe run again on the drawn pictures."""
    out = tmp_path_factory.mktemp("again") / "out"
    reproduce("c-cnn-augmented", [str(scans)], out, quick=True, sets=TINY, degrade=True)
    return out


def read(out: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((out / "reproduce.json").read_text())
    return document


def test_three_columns_side_by_side(again: Path) -> None:
    done = read(again)
    assert done["data"] == {"navoneel": 16}  # 8 of 12 a folder
    seed, clean = done["columns"]
    assert seed["result"]["leakage"]["same_group"] + seed["result"]["leakage"]["twins"] > 0
    assert clean["result"]["leakage"]["leaked"] is None
    head, rows = table(done)
    assert head == ["", "published", "the seed's own protocol", "without leakage"]
    cells = {row[0]: row[1:] for row in rows}
    assert cells["accuracy"][0] == "73.9"
    assert cells["leak"][1].startswith("LEAK: ")
    assert cells["leak"][2] == "none known"
    for column, cell in ((seed, cells["accuracy"][1]), (clean, cells["accuracy"][2])):
        figure = column["result"]["metrics"]["accuracy"]
        assert cell.startswith(f"{100 * figure['value']:.1f} (")


def test_quick_is_marked_wherever_a_figure_is_shown(again: Path) -> None:
    text = summary(read(again))
    assert text.startswith(QUICK)
    assert all(line.startswith("QUICK") for line in text.splitlines() if "accuracy" in line)
    page = (again / "report.html").read_text()
    assert QUICK in page
    assert "without leakage QUICK" in page
    assert "QUICK, no result" in page
    assert read(again)["changed"].items() >= {"images a folder": 8, "epochs": 2}.items()


def test_the_page_draws_the_curves_and_names_what_was_chosen(again: Path, tmp_path: Path) -> None:
    page = write_report([again], tmp_path / "alone.html").read_text()
    assert "Training: the seed&#39;s own protocol" in page
    assert "Training: without leakage" in page
    assert "79.42 %" in page
    assert "Accuracy against severity" in page
    assert "ghosting" in page


def test_each_arm_can_be_judged_again_by_the_usual_commands(again: Path, tmp_path: Path) -> None:
    clean = again / "clean"
    judged = evaluate(clean / "run", clean / "test.csv", tmp_path / "judged")
    assert judged["metrics"] == read(again)["columns"][1]["result"]["metrics"]


@pytest.mark.slow
def test_a_test_set_that_trained_is_a_leak_and_without_it_none(scans: Path, tmp_path: Path) -> None:
    done = reproduce("b-cnn", [str(scans)], tmp_path / "out", quick=True, sets=TINY)
    assert done == read(tmp_path / "out")
    seed, clean = done["columns"]
    assert seed["result"]["leakage"]["copies"] == 16
    assert clean["note"] == "1 of 16 training images removed as twins"


@pytest.mark.slow
def test_between_sets_both_figures_are_shown(scans: Path, tmp_path: Path) -> None:
    done = reproduce(
        "c-cnn-augmented", [str(scans)], tmp_path / "out", quick=True, sets=TINY,
        external=["other:navoneel", "navoneel:other"],
    )  # fmt: skip
    titles = [column["title"] for column in done["columns"]]
    assert titles == [
        "other to navoneel: all images", "other to navoneel: twins removed",
        "navoneel to other: all images", "navoneel to other: twins removed",
    ]  # fmt: skip
    images = [column["result"]["images"] for column in done["columns"]]
    assert images == [16, 15, 16, 15]
    assert "published" not in table(done)[0]
    assert done["columns"][1]["result"]["leakage"]["leaked"] is None
    assert done["columns"][3]["result"]["leakage"]["leaked"] is None


def test_an_interrupted_one_goes_on_where_it_stopped(
    again: Path, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def run(out: Path, **more: Any) -> dict[str, Any]:
        sets = TINY | more.pop("sets", {})
        return reproduce("c-cnn-augmented", [str(scans)], out, quick=True, sets=sets, **more)

    def stopped(index: Path, run: Path, *rest: Any, **options: Any) -> Any:
        if "clean" in run.parts:
            raise InterruptedRunError("stopped")
        return train(index, run, *rest, **options)

    monkeypatch.setattr("brainlens.reproduce.arms.train", stopped)
    with pytest.raises(InterruptedRunError):
        run(out)
    monkeypatch.undo()
    first = (out / "seed" / "run" / "provenance.json").read_text()
    with pytest.raises(RunError, match="begun with epochs = 2, and not 3"):
        run(out, resume=True, sets={"epochs": 3})
    done = run(out, resume=True)
    assert (out / "seed" / "run" / "provenance.json").read_text() == first  # not trained again
    for column, whole in zip(done["columns"], read(again)["columns"], strict=True):
        assert column["result"]["metrics"] == whole["result"]["metrics"]
    with pytest.raises(RunError, match="has finished"):
        run(out, resume=True)
    with pytest.raises(RunError, match="nothing to resume"):
        run(tmp_path / "none", resume=True)


def test_mistakes_are_told_before_anything_is_written(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def refused(kind: type[Exception], says: str, recipe: str, *data: str, **more: Any) -> None:
        with pytest.raises(kind, match=says):
            reproduce(recipe, data, out, quick=True, **more)
        assert not out.exists()

    refused(ConfigError, "did you mean 'b-cnn'", "b-cn", str(scans))
    refused(ConfigError, "reproduces no document", "demo", str(scans))
    refused(IndexFileError, "sartaj=FOLDER", "a-densenet121", str(scans))
    refused(ConfigError, "TRAIN:TEST", "b-cnn", str(scans), external=["navoneel"])
    refused(ConfigError, "did you mean 'epochs'", "b-cnn", str(scans), sets={"epoch": 1})
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="--overwrite"):
        reproduce("b-cnn", [str(scans)], out, quick=True)


def unreachable(name: str, network: object) -> str:
    """Stands for a machine without weights and without a network."""
    raise WeightsError(f"pretrained weights of {name} are not reachable")


def test_weights_out_of_reach_are_an_error_before_anything_is_read(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brainlens.reproduce.reproduction.load_pretrained", unreachable)
    with pytest.raises(WeightsError, match="not reachable"):
        reproduce("b-vgg16", [str(scans)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_quick_run_without_weights_begins_from_scratch_and_says_so(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brainlens.reproduce.reproduction.load_pretrained", unreachable)
    done = reproduce("d-efficientnetv2", [f"sartaj={scans / 'other'}"], tmp_path / "out",
                     quick=True)  # fmt: skip
    assert done["settings"]["weights"] == "none"
    assert "WEIGHTS NOT REACHABLE" in summary(done)
    assert "WEIGHTS NOT REACHABLE" in (tmp_path / "out" / "report.html").read_text()


def halves(folder: Path) -> list[str]:
    """The embedded sample as two sets (one of them twice) without a patient in common."""
    patients = read_manifest(SAMPLE_DIR / "manifest.csv")
    for image, known in patients.items():
        odd = int(known.patient.rpartition("P")[2] or 0) % 2  # planted files name no patient
        for name in ("sartaj",) if odd else ("navoneel",):
            place = folder / name / image.parent.name / image.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(image, place)
    shutil.copytree(folder / "sartaj", folder / "br35h")
    return [str(folder)]


@pytest.fixture(scope="module")
def sample_sets(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The embedded sample as the sets that the recipes ask for."""
    return halves(tmp_path_factory.mktemp("sample"))


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)  # each a test: they spread over processes
def test_every_recipe_runs_quickly_on_the_embedded_sample(
    name: str, sample_sets: list[str], tmp_path: Path
) -> None:
    done = reproduce(name, sample_sets, tmp_path / name, quick=True)
    assert len(done["columns"]) == 2
    assert "none known" in summary(done)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_runs_quickly_on_real_scans(name: str, shared: Path, tmp_path: Path) -> None:
    done = reproduce(name, [str(shared / "data" / "mri")], tmp_path / name, quick=True)
    assert len(done["columns"]) == 2
    assert "none known" in summary(done)
