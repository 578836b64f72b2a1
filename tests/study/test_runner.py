"""A study runs its rows, goes on after a kill, reports what failed, and looks at test once."""

from __future__ import annotations

import csv
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainlens.classify import jobs
from brainlens.classify.evaluation import evaluate
from brainlens.classify.network import load
from brainlens.classify.training import train
from brainlens.core.driving import InterruptedRunError
from brainlens.core.errors import LeakError, OutputError, RunError, SplitError
from brainlens.data.index import read_index, write_index
from brainlens.study import bench, runner
from brainlens.study.design import Design
from brainlens.study.runner import run_study
from tests.classify.conftest import TINY
from tests.commands import run, start
from tests.study.conftest import TABLES

Make = Callable[..., Design]


def values(document: dict[str, Any], arm: str = "plain") -> list[list[float]]:
    """The responses, row by row and seed by seed."""
    return [
        [one["value"] for one in row["results"].get(arm, {}).values()] for row in document["rows"]
    ]


def shares(out: Path) -> np.ndarray:
    """Which share of the seeds was right about each test image."""
    lines = (out / "confirmation.csv").read_text().splitlines()
    return np.array([float(row["right"]) for row in csv.DictReader(lines)])


def test_a_study_leaves_rows_tables_and_a_confirmation(
    make_design: Make, tiny_index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = run_study(make_design(), tiny_index, tmp_path / "study")
    assert json.loads((tmp_path / "study" / "study.json").read_text()) == document
    assert [row["status"] for row in document["rows"]] == ["done"] * 4
    assert all(len(own) == 2 for arm in ("plain", "augmented") for own in values(document, arm))
    table = document["analysis"]["plain"]
    lines = {line["source"]: line for line in table["anova"]}
    # 4 rows x 2 seeds: 7 degrees of freedom, 3 of them for the three factors.
    expected = {"dropout": 1, "optimizer": 1, "learning_rate": 1, "error": 4, "total": 7}
    assert {source: line["df"] for source, line in lines.items()} == expected
    y = np.array(values(document))
    first = y[[0, 1]].mean(), y[[2, 3]].mean()
    assert table["effects"]["response"]["dropout"] == pytest.approx(first)
    found = document["confirmation"]
    assert found["seeds"] == [2, 3]  # none that a row has used
    best = max(found["validation"], key=lambda arm: found["validation"][arm]["mean"])
    assert found["arm"] == best
    assert found["settings"] == document["analysis"][best]["chosen"]["settings"]
    assert "row 4: plain" in capsys.readouterr().err


def test_a_response_is_what_train_says(make_design: Make, tiny_index: Path, tmp_path: Path) -> None:
    design = make_design()
    document = run_study(design, tiny_index, tmp_path / "study")
    for arm in design.arms:
        config = design.run(design.levels(2), arm, seed=1)
        done = train(tiny_index, tmp_path / arm, config, cached=False)
        own = document["rows"][2]["results"][arm]["1"]
        assert own["value"] == pytest.approx(done.best_value, abs=1e-5)
        assert own["best_epoch"] == done.best_epoch


def test_the_confirmed_model_is_one_that_evaluate_would_judge_the_same(
    make_design: Make, tiny_index: Path, tmp_path: Path
) -> None:
    design = make_design()
    document = run_study(design, tiny_index, tmp_path / "study")
    found = document["confirmation"]
    levels = document["analysis"][found["arm"]]["chosen"]["levels"]
    config = design.run(design.at(levels), found["arm"], seed=2)
    train(tiny_index, tmp_path / "run", config)
    judged = evaluate(tmp_path / "run", tiny_index, tmp_path / "eval")
    assert found["test"]["accuracies"][0] == pytest.approx(judged["metrics"]["accuracy"]["value"])
    assert found["test"]["first_seed"]["confusion"] == judged["confusion"]
    assert load(tmp_path / "study" / "best.safetensors").labels == ["glioma", "none"]
    right = shares(tmp_path / "study")
    assert len(right) == judged["images"]
    mean = right.mean()
    assert found["test"]["accuracy"]["value"] == pytest.approx(mean)
    assert mean == pytest.approx(np.mean(found["test"]["accuracies"]))


def test_the_test_split_is_not_read_before_the_confirmation(
    make_design: Make, tiny_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its files gone the rows all run, and only the confirmation fails."""
    index = read_index(tiny_index)
    for row in index.of("test"):
        index.file(row).unlink()
    out = tmp_path / "study"
    with pytest.raises(Exception, match="no such file, though the index lists it"):
        run_study(make_design(), tiny_index, out)
    document = json.loads((out / "study.json").read_text())
    assert [row["status"] for row in document["rows"]] == ["done"] * 4
    assert "confirmation" not in document


# --- stopped and taken up again -----------------------------------------------------------------
def test_a_killed_study_goes_on_and_ends_the_same(
    make_design: Make, tiny_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "TOGETHER", 4)  # two arms of two seeds: each row is a unit
    units: list[list[int]] = []
    work = bench.run_unit

    def two_then_stop(unit: Any, *others: Any) -> Any:
        if len(units) == 2:
            raise KeyboardInterrupt
        units.append(sorted({trial.row for trial in unit.trials}))
        return work(unit, *others)

    monkeypatch.setattr(runner, "run_unit", two_then_stop)
    design = make_design()
    with pytest.raises(InterruptedRunError, match=r"2 of 4 rows done.*--resume"):
        run_study(design, tiny_index, tmp_path / "study")
    saved = json.loads((tmp_path / "study" / "study.json").read_text())
    assert sorted(row["status"] for row in saved["rows"]) == ["done", "done", "waiting", "waiting"]

    def noted(unit: Any, *rest: Any) -> Any:
        units.append(sorted({trial.row for trial in unit.trials}))
        return work(unit, *rest)

    monkeypatch.setattr(runner, "run_unit", noted)
    resumed = run_study(design, tiny_index, tmp_path / "study", resume=True)
    assert sorted(row for unit in units[:4] for row in unit) == [0, 1, 2, 3]  # none of them twice
    monkeypatch.setattr(runner, "run_unit", work)
    again = run_study(design, tiny_index, tmp_path / "again")
    assert values(resumed) == values(again)
    assert resumed["analysis"] == again["analysis"]


def test_a_study_killed_before_its_first_row_goes_on_too(
    make_design: Make, tiny_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_cut(study: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as context:
        context.setattr(runner._Study, "run_rows", power_cut)
        with pytest.raises(SystemExit):
            run_study(make_design(), tiny_index, tmp_path / "study")
    document = run_study(make_design(), tiny_index, tmp_path / "study", resume=True)
    assert [row["status"] for row in document["rows"]] == ["done"] * 4


@pytest.mark.slow
def test_a_study_killed_outright_keeps_its_finished_rows(
    tiny_index: Path, tmp_path: Path, cache: Path
) -> None:
    """SIGKILL, which nothing can catch, between two rows."""
    design = tmp_path / "design.toml"
    design.write_text(
        '[design]\narray = "L4"\nreplicates = 1\n[factors]\ndropout = [0.1, 0.4]\n'
        'optimizer = ["adam", "sgd"]\nactivation = ["relu", "tanh"]\n[settings]\n'
        'backbone = "cnn_c"\nsize = 32\nhidden = [8]\ntune = "all"\nepochs = 12\naugment = "none"\n'
    )
    out = tmp_path / "study"
    words = ["study", str(design), str(tiny_index), "-o", str(out)]
    running = start(words, tmp_path)
    deadline = time.monotonic() + 200

    def done() -> int:
        try:
            rows = json.loads((out / "study.json").read_text())["rows"]
        except FileNotFoundError:
            return 0
        return sum(row["status"] == "done" for row in rows)

    while done() < 1:
        assert time.monotonic() < deadline
        assert running.is_alive()
        time.sleep(0.1)
    running.kill()
    running.join()
    before = done()
    assert 1 <= before < 4
    code, errors = run([*words, "--resume"], tmp_path)
    assert code == 0, errors
    assert f"going on: {before} of 4 rows are done" in errors
    assert done() == 4


@pytest.mark.parametrize("left", [["config.toml"], ["config.toml", "index.csv"]])
def test_a_run_killed_as_it_began_is_begun_anew(
    left: list[str], tiny_index: Path, tmp_path: Path
) -> None:
    place = tmp_path / "run"
    config = dataclasses.replace(TINY, epochs=1)
    train(tiny_index, place, config)
    for name in ("config.toml", "index.csv", "provenance.json", "metrics.csv", "model.safetensors"):
        if name not in left:
            (place / name).unlink()
    unit = bench.Unit((bench.Trial(0, "all", config),), (), str(tiny_index), str(place))
    (outcome,) = bench.run_unit(unit, {}, 2)
    assert outcome.best_epoch == 1
    assert (place / "provenance.json").is_file()


def test_a_study_goes_on_only_with_its_own_design_and_index(
    make_design: Make, tiny_index: Path, tmp_path: Path
) -> None:
    out = tmp_path / "study"
    run_study(make_design(), tiny_index, out)
    with pytest.raises(RunError, match=r"another design \(settings differs\)"):
        run_study(make_design(settings__epochs=2), tiny_index, out, resume=True)
    index = read_index(tiny_index)
    rows = [dataclasses.replace(row, group=row.group + "x") for row in index.rows]
    write_index(rows, index.folder, tiny_index)
    with pytest.raises(RunError, match="another state of the index"):
        run_study(make_design(), tiny_index, out, resume=True)
    with pytest.raises(RunError, match="is no study"):
        run_study(make_design(), tiny_index, tmp_path / "nothing", resume=True)
    with pytest.raises(OutputError, match="--overwrite"):
        run_study(make_design(), tiny_index, out)


def test_rows_on_features_of_other_weights_run_again(
    make_design: Make, tiny_index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    run_study(make_design(), tiny_index, out)
    document = json.loads((out / "study.json").read_text())
    for row in document["rows"]:
        for one in row["results"]["plain"].values():
            one["value"] = 0.123
    document["features"] = {name: "0" * 64 for name in document["features"]}
    (out / "study.json").write_text(json.dumps(document))
    again = run_study(make_design(), tiny_index, out, resume=True)
    assert "4 finished rows are stale" in capsys.readouterr().err
    assert all(value != 0.123 for own in values(again) for value in own)


# --- what goes wrong ----------------------------------------------------------------------------
def test_a_failed_row_is_reported_and_the_others_go_on(
    make_design: Make, tiny_index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rate at which the loss is no number fails its two rows, whatever trains beside them."""
    design = make_design(factors={
        "dropout": [0.1, 0.4], "activation": ["relu", "tanh"], "learning_rate": [1e30, 0.005],
    }, design={"array": "L4", "replicates": 2, "response": "val_loss"})  # fmt: skip
    document = run_study(design, tiny_index, tmp_path / "study")
    statuses = [row["status"] for row in document["rows"]]
    assert sorted(statuses) == ["done", "done", "failed", "failed"]
    for row in document["rows"]:
        assert (row["status"] == "failed") == (row["settings"]["learning_rate"] == 1e30)
    assert "diverged" in next(r["error"] for r in document["rows"] if r["error"])
    assert "failed: " in capsys.readouterr().err
    assert "cannot be told apart" in document["analysis"]["plain"]["anova_note"]


def test_a_row_that_cannot_begin_is_reported_too(
    make_design: Make, tiny_index: Path, tmp_path: Path
) -> None:
    settings = {key: value for key, value in TABLES["settings"].items() if key != "size"}
    design = make_design(factors={"size": [4, 32], "optimizer": ["adam", "sgd"]}, settings=settings)
    document = run_study(design, tiny_index, tmp_path / "study")
    assert [row["status"] for row in document["rows"]] == ["failed", "failed", "done", "done"]
    assert "size=4 does not suit this backbone" in document["rows"][0]["error"]


def test_where_every_row_fails_the_study_fails(
    make_design: Make, tiny_index: Path, tmp_path: Path
) -> None:
    design = make_design(
        factors={"learning_rate": [1e30, 1e32], "dropout": [0.1, 0.2]}, design__response="val_loss"
    )
    with pytest.raises(
        RunError, match=r"every row failed; the first: augmented, seed 0: training diverged"
    ):
        run_study(design, tiny_index, tmp_path / "study")


def test_a_full_disk_stops_the_study_and_not_row_by_row(
    make_design: Make, tiny_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError("features: the disk is full. Free some space")

    monkeypatch.setattr(bench, "features", full)
    with pytest.raises(OutputError, match="the disk is full"):
        run_study(make_design(), tiny_index, tmp_path / "study")


def test_test_images_seen_in_training_stop_a_study_unless_allowed(
    make_design: Make, tiny_index: Path, tmp_path: Path
) -> None:
    index = read_index(tiny_index)
    group = index.of("train")[0].group
    rows = [dataclasses.replace(r, group=group) if r.split == "test" else r for r in index.rows]
    write_index(rows, index.folder, tiny_index)
    seen = len(index.of("test"))
    with pytest.raises(LeakError, match=f"{seen} of {seen} test images .*--allow-leaks"):
        run_study(make_design(), tiny_index, tmp_path / "study")
    assert not (tmp_path / "study").exists()
    document = run_study(make_design(), tiny_index, tmp_path / "study", allow_leaks=True)
    leakage = document["leakage"]
    assert (leakage["test_images_seen"], leakage["allowed"]) == (seen, True)
    assert leakage["certificate"]["leaks"]["group"] == seen


def test_an_index_without_a_split_is_refused(
    make_design: Make, tiny_index: Path, tmp_path: Path
) -> None:
    index = read_index(tiny_index)
    write_index([dataclasses.replace(r, split="") for r in index.rows], index.folder, tiny_index)
    with pytest.raises(SplitError, match="brainlens split"):
        run_study(make_design(), tiny_index, tmp_path / "study")


# --- whole networks, and two studies ------------------------------------------------------------
def test_rows_that_change_the_backbone_train_whole_and_keep_their_runs(
    make_design: Make, tiny_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = make_design(
        factors={"dropout": [0.1, 0.4], "optimizer": ["adam", "sgd"]}, arms={},
        design={"array": "L4", "replicates": 1}, settings__tune="all", settings__epochs=1,
    )  # fmt: skip
    out = tmp_path / "study"
    document = run_study(design, tiny_index, out)
    runs = sorted(path.name for path in (out / "runs").iterdir())
    assert [name for name in runs if name.endswith("seed0")] == [
        f"row0{i}-all-seed0" for i in range(1, 5)
    ]
    alone = train(tiny_index, tmp_path / "alone", design.run(design.levels(1), "all", 0))
    assert values(document, "all")[1] == [alone.best_value]
    # Taken up again, finished runs are read and not trained: not even with their row forgotten.
    stored = json.loads((out / "study.json").read_text())
    stored["rows"][1]["status"] = "waiting"
    (out / "study.json").write_text(json.dumps(stored))
    monkeypatch.setattr(bench, "train", None)
    again = run_study(design, tiny_index, out, resume=True)
    assert values(again, "all") == values(document, "all")


def test_the_distance_between_two_studies_choices(
    make_design: Make, tiny_index: Path, tmp_path: Path
) -> None:
    plain = {"plain": {"augment": "none"}}
    small, full = tmp_path / "small", tmp_path / "full"
    run_study(make_design(arms=plain), tiny_index, small)
    design = make_design(arms=plain, design={"array": "factorial", "replicates": 2})
    document = run_study(design, tiny_index, full, against=small)
    held = document["against"]
    mine, theirs = shares(full), shares(small)
    assert held["difference"]["value"] == pytest.approx((mine - theirs).mean())
    low, high = held["difference"]["low"], held["difference"]["high"]
    assert low <= held["difference"]["value"] <= high
    means = np.array(values(document)).mean(1)
    chosen = json.loads((small / "study.json").read_text())["confirmation"]["settings"]
    place = next(r["row"] for r in document["rows"] if r["settings"] == chosen)
    assert held["in_table"]["gap"]["value"] == pytest.approx(means.max() - means[place])
    assert held["in_table"]["rank"] == 1 + int((means > means[place]).sum())
    with pytest.raises(RunError, match="is no study"):
        run_study(design, tiny_index, tmp_path / "other", against=tmp_path)
