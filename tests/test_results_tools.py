"""The tools behind the results: what they count is right where it can be counted by hand."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.audit_precision import Found, figures, listed
from brainlens.data.sample import SAMPLE_DIR
from brainlens.data.twins import Twin
from brainlens.deploy.classifier import Classifier
from tools.bench_table import holds
from tools.model_tables import RESULTS, backbones, seeds
from tools.seed_leaks import Protocol, augmented, measure, of, table


def rows(*ids: int) -> list[dict[str, str]]:
    return [
        {"file": f"{i}.jpg", "figshare_id": str(i), "near_dup_group": str(i)} for i in ids
    ]  # fmt: skip


def test_a_pair_not_judged_or_unsure_counts_against_precision() -> None:
    twins = [Twin(0, 1, 0.99), Twin(0, 2, 0.985), Twin(1, 2, 0.98), Twin(2, 3, 0.999)]
    found = Found(rows(0, 5, 6, 7), twins, twins[:3])
    judged = [
        {"one": "0.jpg", "other": "5.jpg", "verdict": "true", "seen": "same"},
        {"one": "0.jpg", "other": "6.jpg", "verdict": "unsure", "seen": ""},
    ]
    pairs = listed(found, judged)
    assert [(pair["r"], pair["verdict"]) for pair in pairs] == [
        (0.98, ""), (0.985, "unsure"), (0.99, "true"),
    ]  # fmt: skip
    result = figures(found, pairs)
    assert result["precision"] == pytest.approx(2 / 4)
    assert result["precision where the manifest is silent"] == pytest.approx(1 / 3)
    assert result["in one group of the manifest"] == 1
    assert result["distinct Cheng slices"] == 1  # 5 and 6; 0 is no slice of Cheng's
    assert result["verdicts"] == {"not looked at": 1, "true": 1, "unsure": 1}


@pytest.fixture
def mri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten slices of the sample, no two of them twins, as two classes."""
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "cache"))
    for label, name in (("yes", "glioma"), ("no", "none")):
        folder = tmp_path / "mri" / "navoneel" / label
        folder.mkdir(parents=True)
        for number in (1, 7, 13, 19, 31):
            shutil.copy(SAMPLE_DIR / name / f"{name}-{number:03d}.jpg", folder)
    return tmp_path / "mri"


def test_splitting_leaks_nothing_and_splitting_what_was_augmented_leaks_all(mri: Path) -> None:
    whole = measure(Protocol("whole", of("navoneel"), 0.2), mri)
    assert (whole["images"], whole["groups"], whole["leaking"]) == (10, 10, 0)
    spread = measure(Protocol("augmented", augmented("flips"), 0.2, "why"), mri)
    assert (spread["images"], spread["groups"]) == (5 * 7 + 5 * 10, 10)
    assert (spread["least"], spread["most"]) == (1, 1)
    shown = table({"protocols": [whole, spread]})
    assert "| 85 / 10 |" in shown
    assert "- augmented: why." in shown


def test_the_model_card_is_what_its_json_and_its_model_say() -> None:
    from tools.model_card import CARDS, MODEL, RECORD, card, record

    meaning = Classifier(MODEL).meaning
    for language, key in (("en", "card"), ("zh-Hant", "card zh-Hant")):
        text = CARDS[language].read_text("utf-8")
        assert text == card(language) == meaning[key]
    figures = [re.findall(r"\d+\.\d \(.*?\d+\.\d\)", card(language)) for language in CARDS]
    assert figures[0] == figures[1]
    assert MODEL.stat().st_size < 20_000_000
    assert json.loads(RECORD.read_text("utf-8")) == record()


def test_a_kept_run_answers_as_the_run_does_at_half_its_size(tmp_path: Path) -> None:
    import torch

    from brainlens.classify.network import Architecture, build, load, save
    from brainlens.data.preprocess import Preprocessing
    from tools.box_keep import keep

    run, kept = tmp_path / "run", tmp_path / "kept"
    run.mkdir()
    for name in ("config.toml", "provenance.json"):
        (run / name).write_text(f"{name} of the run")
    shape = Architecture("mobilenetv2", 64, "average", (), "relu", 0.0)
    save(
        run / "model.safetensors", build(shape, 2), architecture=shape, labels=["a", "b"],
        preprocessing=Preprocessing(64), facts={},
    )  # fmt: skip
    keep(run, kept)
    one, other = (load(folder / "model.safetensors") for folder in (run, kept))
    x = torch.rand(4, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(one.network(x), other.network(x), atol=1e-2)
    assert other.labels == ["a", "b"]
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (run, kept)]
    assert sizes[1] < 0.55 * sizes[0]
    assert (kept / "provenance.json").read_text() == "provenance.json of the run"
    with pytest.raises(FileExistsError):
        keep(run, kept)


def test_the_row_of_our_best_is_the_main_road_s() -> None:
    from tools.reproduce_best import RESULTS, document

    kept = json.loads((RESULTS / "reproduce" / "best-main-road.json").read_text("utf-8"))
    assert kept == document()
    for column, name in zip(kept["columns"], ("random", "grouped"), strict=True):
        road = json.loads((RESULTS / "main-road" / f"{name}.json").read_text("utf-8"))
        assert column["result"] == road


def judged(
    backbone: str, leaking: float, clean: float, weights: str = "imagenet"
) -> dict[str, Any]:
    """What the tables read of a reproduction."""
    return {
        "settings": {"backbone": backbone, "weights": weights},
        "columns": [
            {"result": {"metrics": {"accuracy": {"value": v, "low": v - 0.1, "high": v + 0.1}}}}
            for v in (leaking, clean)
        ],
    }


def test_seeds_of_one_backbone_are_one_row_beside_its_cost() -> None:
    held = {"a": judged("mobilenetv2", 0.9, 0.5), "b": judged("mobilenetv2", 0.8, 0.6)}
    head, *rows = backbones(held | {"c": judged("efficientnetv2_b0", 0.6, 0.6, "none")})
    row = dict(zip(head, next(r for r in rows if r[0] == "`mobilenetv2`, frozen"), strict=True))
    assert row["seeds"] == "2"
    assert row["seed's protocol (LEAK), %"] == "85.0 (80.0 to 90.0)"
    assert row["without leakage, first seed, % (95 %)"] == "50.0 (40.0 to 60.0)"
    assert row["without leakage, seeds: mean (least to most), %"] == "55.0 (50.0 to 60.0)"
    assert row["one picture, against MobileNetV2"] == "1.0"
    assert next(r for r in rows if r[0] == "`densenet121`")[3] == "not measured"
    scratch = next(r[0] for r in rows if r[0].startswith("`efficientnetv2_b0`"))
    assert scratch.endswith("WEIGHTS NOT REACHABLE: all of it from scratch")


def test_further_seeds_of_a_recipe_are_one_row_with_its_first() -> None:
    first = json.loads((RESULTS / "reproduce" / "b-vgg16-569.json").read_text("utf-8"))
    clean = first["columns"][1]["result"]["metrics"]["accuracy"]["value"]
    held = {"b-vgg16-569-seed-1": judged("vgg16", 0.9, clean - 0.1),
            "b-vgg16-569-seed-2": judged("vgg16", 0.8, clean + 0.1)}  # fmt: skip
    _, row = seeds(held)
    assert row[0] == "`b-vgg16-569`"
    low, high = 100 * (clean - 0.1), 100 * (clean + 0.1)
    assert row[2] == f"{100 * clean:.1f} ({low:.1f} to {high:.1f})"
    assert row[3] == "3"


def test_the_curves_of_poor_scans_are_those_of_their_json() -> None:
    from tools.poor_scans import FOLDERS, drawing

    for folder in FOLDERS:
        assert (folder / "curves.svg").read_text("utf-8") == drawing(folder) + "\n"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("ratio >= 0.85", "yes"), ("ratio >= 0.95", "**no**"), ("<= 1.5 s, ratio >= 0.5", "yes"),
        ("< 1.5 s, ratio >= 0.5", "**no**"), ("ours <= 1,500 s", "yes"), ("flat", ""),
        ("<= 2 minutes", ""),
    ],
)  # fmt: skip
def test_a_benchmark_s_row_says_whether_what_was_wanted_holds(wanted: str, said: str) -> None:
    assert holds({"ours": 1.5, "ratio": 0.9, "unit": "s", "wanted": wanted}) == said
