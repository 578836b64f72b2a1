"""What the page and the terminal say of a study."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from brainlens.core.errors import UserError
from brainlens.report.page import write_report
from brainlens.report.studied import summary, verdict

DESIGN = {
    "name": "tiny", "array": "L4(2^3)", "replicates": 2, "seed": 0, "response": "val_accuracy",
    "goal": "larger", "factors": {"dropout": [0.1, 0.4], "learning_rate": [0.02, 0.005]},
    "arms": {"plain": {"augment": "none"}}, "settings": {"epochs": 3},
}  # fmt: skip
MEANS = [0.5, 0.6, 0.7, 0.9]


def row(i: int) -> dict[str, Any]:
    values = {"0": {"value": MEANS[i], "best_epoch": 2}, "1": {"value": MEANS[i], "best_epoch": 3}}
    return {
        "row": i, "levels": [i // 2, i % 2], "status": "done", "error": "",
        "settings": {"dropout": [0.1, 0.4][i // 2], "learning_rate": [0.02, 0.005][i % 2]},
        "results": {"plain": values},
    }  # fmt: skip


def line(source: str, df: int, f: float | None = None) -> dict[str, Any]:
    return {"source": source, "df": df, "ss": 0.125, "ms": 0.125, "f": f, "p": f and 0.03,
            "contribution": f and 41.5}  # fmt: skip


STUDY: dict[str, Any] = {
    "kind": "study",
    "design": DESIGN,
    "published": {
        "source": "a paper", "factors": ["dropout"], "rows": [[0.1], [0.4]],
        "accuracy": {"with GAN": [0.9, 0.9864]},
    },
    "rows": [row(i) for i in range(4)],
    "analysis": {
        "plain": {
            "rows": [0, 1, 2, 3],
            "mean": 0.675,
            "signal_to_noise": [-6.02, -4.44, -3.1, -0.92],
            "effects": {
                "response": {"dropout": [0.55, 0.8], "learning_rate": [0.6, 0.75]},
                "signal_to_noise": None,
            },
            "anova": [line("dropout", 1, 12.5), line("learning_rate", 1, 7.25), line("error", 5),
                      line("total", 7)],
            "anova_note": "",
            "interactions": [
                {"factors": ["dropout", "learning_rate"], "means": [[0.5, 0.6], [0.7, 0.9]]}
            ],
            "aliases": [{"factors": ["dropout", "learning_rate"], "with": {"momentum": 1.0}}],
            "chosen": {"levels": [1, 1], "settings": {"dropout": 0.4, "learning_rate": 0.005},
                       "row": 3},
            "best_row": {"row": 3, "settings": {}, "mean": 0.9},
            "predicted": {"value": 0.875, "low": 0.8, "high": 0.95},
        }
    },
    "arms": [],
    "confirmation": {
        "seeds": [2, 3], "arm": "plain", "settings": {"dropout": 0.4, "learning_rate": 0.005},
        "validation": {"plain": {"values": [0.84, 0.86], "mean": 0.85, "inside": True}},
        "test": {"accuracy": {"value": 0.8, "low": 0.7, "high": 0.9}, "accuracies": [0.79, 0.81],
                 "images": 40, "groups": 13},
    },
    "against": {
        "design": "l9", "images": 40, "difference": {"value": 0.012, "low": -0.01, "high": 0.03},
        "in_table": {"gap": {"value": 0.02, "low": 0.01, "high": 0.03}, "rank": 3, "rows": 4},
    },
    "seconds": {"all": 12.0, "features": 8.5},
    "leakage": {"test_images_seen": 0, "allowed": False},
}  # fmt: skip


def page(folder: Path, **changes: Any) -> str:
    """The words of the page of a study."""
    folder.mkdir(exist_ok=True)
    (folder / "study.json").write_text(json.dumps(STUDY | changes))
    html = write_report([folder], folder.parent / "report.html").read_text("utf-8")
    assert html.count("<svg") == html.count('role="img"')
    html = re.sub(r"<style>.*?</style>|<svg.*?</svg>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_the_page_holds_every_part_of_a_study(tmp_path: Path) -> None:
    text = page(tmp_path / "study")
    for said in (
        "4 of 4 rows (L4(2^3)), 2 seeds each. Chosen on validation: dropout 0.4, learning "
        "rate 0.005; validation accuracy 85.00 % from new seeds. Test accuracy 80.00 % (70.00 "
        "to 90.00).",
        "4 0.4 0.005 90.00 % 90.00 %, 90.00 % -0.920",
        "dropout 1 0.125 0.125 12.5 0.03 41.5 %",
        "error 5 0.125 0.125",
        "dropout x learning_rate looks like momentum (100 %)",
        "plain 4: 90.00 % dropout 0.4, learning rate 0.005 (row 4) 87.50 % (80.00 % to 95.00 %) "
        "85.00 % yes",
        "Test split, read once, arm plain: accuracy 80.00 % (70.00 to 90.00) over 40 images in 13 "
        "groups; each seed 79.00 %, 81.00 %.",
        "this study's choice less that of l9: +1.20 % (-1.00 to +3.00)",
        "number 3 of 4; the best row less it: +2.00 % (+1.00 to +3.00)",
        "2 0.4 98.64 %",
        "Best: with GAN: row 2, 98.64 %.",
        "features 8.5 s",
    ):
        assert said in text, said
    assert "LEAK" not in text


def test_a_leak_a_failure_and_an_open_row_are_told(tmp_path: Path) -> None:
    rows = [row(0), row(1), row(2) | {"status": "failed", "error": "plain, seed 0: diverged"},
            row(3) | {"status": "waiting", "results": {}}]  # fmt: skip
    analysis = {"plain": STUDY["analysis"]["plain"] | {
        "rows": [0, 1], "signal_to_noise": [-6.0, -4.4], "anova": None,
        "anova_note": "factor 'dropout' cannot be told apart"}}  # fmt: skip
    text = page(
        tmp_path / "study", rows=rows, analysis=analysis,
        leakage={"test_images_seen": 5, "allowed": True},
    )  # fmt: skip
    assert "LEAK: do not quote the test figure. 5 test images" in text
    assert "Row 3 failed: plain, seed 0: diverged" in text
    assert "1 rows have not run yet" in text
    assert "cannot be told apart" in text


def test_a_study_without_a_confirmation_still_reads(tmp_path: Path) -> None:
    text = page(
        tmp_path / "study", analysis={}, arms=[], confirmation=None, against=None, published={}
    )
    assert "Not confirmed yet." in text
    assert "As published" not in text


def test_a_broken_study_is_named(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"kind": "study"}')
    with pytest.raises(UserError, match=r"study\.json: got no 'design'"):
        write_report([tmp_path], tmp_path / "report.html")


def test_the_terminal_shows_the_same() -> None:
    blocks = summary(STUDY)
    assert blocks[0][1][4] == ["4", "0.4", "0.005", "90.00 %"]
    assert blocks[1][0] == "analysis of variance, plain"
    assert blocks[1][1][1][:3] == ["dropout", "1", "0.125"]
    assert blocks[2][1][1][0] == "plain"
    assert verdict(STUDY).startswith("4 of 4 rows")
