"""A run judged under graded harm: row 0 is the plain figure, and harm can only be read as such."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from brainlens.classify.evaluation import evaluate
from brainlens.classify.training import train
from brainlens.data.degrade import DEGRADATIONS
from tests.classify.conftest import TINY


def test_every_curve_begins_at_the_plain_figure_and_has_a_point_a_severity(
    tiny_index: Path, tmp_path: Path
) -> None:
    train(tiny_index, tmp_path / "run", dataclasses.replace(TINY, epochs=2))
    plain = evaluate(tmp_path / "run", tiny_index, tmp_path / "plain")
    found = evaluate(tmp_path / "run", tiny_index, tmp_path / "poor", degrade=True)
    assert "degraded" not in plain
    assert found["metrics"] == plain["metrics"]
    assert [curve["name"] for curve in found["degraded"]] == list(DEGRADATIONS)
    for curve in found["degraded"]:
        first, *others = curve["points"]
        assert first["severity"] is None
        assert first["accuracy"]["value"] == plain["metrics"]["accuracy"]["value"]
        severities = tuple(point["severity"] for point in others)
        assert severities == DEGRADATIONS[curve["name"]].severities
        for point in curve["points"]:
            figure = point["accuracy"]
            assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
