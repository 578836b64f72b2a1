"""Verdicts: equal counts and budgets, planted answers that help or harm, the leaking protocol."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainlens.classify.config import TrainConfig
from brainlens.core.errors import ConfigError, IndexFileError, LeakError, SplitError
from brainlens.data.index import read_index, write_index
from brainlens.generative.ganconfig import GanConfig
from brainlens.generative.synthtraining import train
from brainlens.report.page import write_report
from brainlens.report.synthesised import verdict_table
from brainlens.synthesis.answer import sentence
from brainlens.synthesis.arms import check_arms
from brainlens.synthesis.leaking import leaking_protocol
from brainlens.synthesis.trial import Answers, Ground, answers
from brainlens.synthesis.verdict import comparisons, verdict

Array = np.ndarray[Any, Any]
CONFIG = TrainConfig(
    backbone="cnn_c", weights="none", size=32, pool="average", hidden=(), tune="head",
    augment="none", balance="none", epochs=3, batch_size=16, learning_rate=0.02, device="cpu",
)  # fmt: skip
TINY = GanConfig(size=32, width=16, channels=1, noise=8, batch_size=8, images=8, every=1,
                 device="cpu")  # fmt: skip


def ground(*, none: int = 40) -> Ground:
    """Two clouds that overlap; "none" is the rare one in training."""
    draw = np.random.default_rng(0)
    features, classes = {}, {}
    for split, counts in {"train": (200, none), "val": (50, 50), "test": (150, 150)}.items():
        parts = [draw.normal(m, 1, (n, 6)) for m, n in zip((-0.4, 0.4), counts, strict=True)]
        features[split] = np.concatenate(parts).astype(np.float32)
        classes[split] = np.repeat([0, 1], counts)
    return Ground(features, classes, ["glioma", "none"])


def test_every_arm_sees_equally_many_pictures() -> None:
    base = ground()
    more = np.zeros((240, 6), np.float32)
    plain = answers(base, more[:0], "none", CONFIG, [0, 1], 240 * 6)
    added = answers(base, more, "none", CONFIG, [0, 1], 240 * 6)
    assert (plain.pictures, plain.epochs) == (240, 6)
    assert (added.pictures, added.epochs) == (480, 3)
    assert plain.tables.shape == (2, 300, 2)


def answering(wrong: int) -> Answers:
    """Two seeds that are wrong on the first so many images of "none", whole groups of ten."""
    true = ground().classes["test"]
    table = np.eye(2)[true]
    place = 150 + np.arange(wrong)
    table[place] = table[place][:, ::-1]
    return Answers(np.stack([table, table]), [0.5, 0.5], 3, 240)


def judged(wrong: int) -> dict[str, Any]:
    """A document of a planted generator, as far as the answer needs it."""
    tried = {("none", 0.0): answering(100), ("oversample", 1.0): answering(80),
             ("planted", 1.0): answering(wrong)}  # fmt: skip
    rows = [{"arm": arm, "ratio": ratio, "validation": 0.5} for arm, ratio in tried]
    found = comparisons(tried, ground(), np.arange(300) // 10, "none")
    arms = ["none", "oversample", "planted"]
    return {"arms": arms, "class": "none", "rows": rows, "comparisons": found}


def test_differences_by_hand() -> None:
    by = {(one["arm"], one["against"]): one for one in judged(10)["comparisons"]}
    assert set(by) == {("oversample", "none"), ("planted", "none"), ("planted", "oversample")}
    best = by["planted", "none"]
    assert best["difference"]["value"] == pytest.approx(90 / 300)
    assert best["of_class"]["value"] == pytest.approx(90 / 150)
    assert (best["only_this"], best["only_other"]) == (90, 0)
    assert best["p_mcnemar"] == pytest.approx(2 * 0.5**90)
    assert best["holm_mcnemar"] == pytest.approx(3 * 2 * 0.5**90)  # the smallest of three


def test_the_sentence_says_what_was_shown() -> None:
    assert sentence(judged(10)).startswith("planted helps: +30.0 points")
    assert sentence(judged(150)).startswith("planted harms: -16.7 points")
    assert sentence(judged(100)).startswith("No evidence that planted helps: +0.0 points")


def test_the_answer_speaks_of_the_ratio_that_validation_chose() -> None:
    def one(ratio: float, against: str, value: float, p: float) -> dict[str, Any]:
        return {"arm": "gan", "ratio": ratio, "against": against, "holm_mcnemar": p,
                "holm_bootstrap": p, "difference": {
                    "value": value, "low": value - 0.01, "high": value + 0.01}}  # fmt: skip

    document = {
        "arms": ["none", "oversample", "gan"], "class": "none",
        "rows": [{"arm": "gan", "ratio": 1.0, "validation": 0.9},
                 {"arm": "gan", "ratio": 2.0, "validation": 0.8}],
        "comparisons": [one(1.0, "none", 0.002, 0.4), one(1.0, "oversample", -0.001, 1.0),
                        one(2.0, "none", 0.3, 0.001)],
    }  # fmt: skip
    assert sentence(document) == (
        "No evidence that gan helps: +0.2 points (95 % -0.8 to +1.2) against no added images; "
        "-0.1 points (95 % -1.1 to +0.9) against oversampling; at 1 x none (chosen on validation)."
    )
    for held in document["comparisons"]:
        held["holm_mcnemar"] = held["holm_bootstrap"] = 0.01  # type: ignore[index]
    assert "helps, yet no more than oversampling" in sentence(document)


def test_the_leaking_protocol_rewards_pictures_that_are_easily_told() -> None:
    base = ground()
    easy = np.full((90, 6), 9, np.float32)
    found = leaking_protocol(base, easy, "none", dataclasses.replace(CONFIG, epochs=20), [0, 1, 2])
    means = found["accuracy"]
    assert means["made"] == 1.0
    assert means["with"] > means["without"]
    assert means["with"] > means["real"]


def test_a_verdict_from_index_and_runs_to_page(index: Path, tmp_path: Path) -> None:
    train(index, tmp_path / "run", TINY, classes=["none"])
    document = verdict(
        index, tmp_path / "out", CONFIG, arms=["none", "oversample", "classic", "dcgan"],
        ratios=[0.5, 1.5], seeds=2, runs={"dcgan": tmp_path / "run"}, label="none",
    )  # fmt: skip
    rows = {(row["arm"], row["ratio"]): row for row in document["rows"]}
    assert rows["none", 0]["pictures"] == 90
    assert {rows[arm, 1.5]["pictures"] for arm in ("oversample", "classic", "dcgan")} == {180}
    assert rows["dcgan", 1.5]["epochs"] == 2  # half of three, rounded: the same budget
    assert len(document["comparisons"]) == 2 * (1 + 2 + 2)
    assert document["leaking"]["trained_on"] == "the train rows alone"
    assert len(read_index(tmp_path / "out" / "synthetic" / "dcgan" / "index.csv").rows) == 90
    kept = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert kept["answer"] == document["answer"]
    assert "dcgan" in verdict_table(kept)
    page = write_report([tmp_path / "out"], tmp_path / "page.html").read_text()
    assert "leaking protocol of seed A" in page
    assert "<svg" in page


def test_a_leaking_generator_is_one_that_saw_the_held_out_pictures(
    index: Path, tmp_path: Path
) -> None:
    own = read_index(index)
    everything = [dataclasses.replace(row, split="train") for row in own.rows]
    path = write_index(everything, own.folder, tmp_path / "everything.csv")
    for name, source in (("peeking", path), ("honest", index)):
        train(source, tmp_path / name, TINY, classes=["none"])

    def run(leaking: Path) -> dict[str, Any]:
        return verdict(index, tmp_path / "out", CONFIG, arms=["none", "oversample"], ratios=[0.5],
                       seeds=1, runs={}, label="none", leaking_run=leaking)  # fmt: skip

    with pytest.raises(ConfigError, match="seen none of the 40 held-out pictures of 'none'"):
        run(tmp_path / "honest")
    found = run(tmp_path / "peeking")["leaking"]
    assert found["trained_on"] == "the train rows and 40 of the 40 held-out pictures of none"
    assert (found["generator"], found["made_pictures"]) == ("leaking", 60)


def test_what_would_mislead_is_refused(index: Path, tmp_path: Path) -> None:
    train(index, tmp_path / "run", TINY, classes=["none"])
    own = read_index(index)

    def run(path: Path, *, label: str = "none") -> None:
        verdict(path, tmp_path / "out", CONFIG, arms=["none", "dcgan"], ratios=[1], seeds=1,
                runs={"dcgan": tmp_path / "run"}, label=label)  # fmt: skip

    with pytest.raises(SplitError, match="did you mean 'none'"):
        run(index, label="non")
    with pytest.raises(SplitError, match="knows none, not 'glioma'"):
        run(index, label="glioma")
    less = write_index(own.rows[:-1], own.folder, tmp_path / "less.csv")
    with pytest.raises(IndexFileError, match="another state of the index"):
        run(less)
    together = [dataclasses.replace(row, group="one") for row in own.rows]
    leaking = write_index(together, own.folder, tmp_path / "leaking.csv")
    with pytest.raises(LeakError, match="a verdict would say nothing"):
        run(leaking)
    untested = [dataclasses.replace(row, split="train" if row.split == "test" else row.split)
                for row in own.rows]  # fmt: skip
    with pytest.raises(SplitError, match="no test images"):
        run(write_index(untested, own.folder, tmp_path / "untested.csv"))


@pytest.mark.parametrize(
    ("arms", "runs", "ratios", "says"),
    [(["none", "dcgan"], {}, [1], "needs a generator"), (["none"], {}, [1], "at least one other"),
     (["none", "classic"], {"gan": Path("x")}, [1], "no such arm"),
     (["none", "classic"], {}, [0], "above 0"),
     (["classic", "oversample"], {}, [1], "expected none")],
)  # fmt: skip
def test_arms_that_cannot_be_run_are_refused(
    arms: list[str], runs: dict[str, Path], ratios: list[float], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        check_arms(arms, runs, ratios)
