"""The drawings: right numbers, any label, the same bytes, light and dark."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from brainlens.report import forest, plots, tallies
from brainlens.report.artefacts import Bin, Estimate, History

HISTORY: History = [
    {"epoch": 1, "train_loss": 0.9, "train_accuracy": 0.6, "val_loss": 0.8, "val_accuracy": 0.6},
    {"epoch": 2, "train_loss": 0.5, "train_accuracy": 0.8, "val_loss": None, "val_accuracy": None},
]
BINS = [Bin(0.0, 0.5, 0, None, None), Bin(0.5, 1.0, 37, 0.8, 0.75)]
FOREST = {
    "a": {"sensitivity": Estimate(0.9, 0.8, 0.95)},
    "b": {"sensitivity": Estimate(None, None, None)},
}
DRAWINGS = {
    "accuracy": lambda: plots.curves(HISTORY, "accuracy", 1),
    "loss": lambda: plots.curves(HISTORY, "loss", None),
    "confusion": lambda: plots.confusion([[3, 1], [0, 0]], ["a", "b"]),
    "intervals": lambda: forest.intervals(FOREST),
    "reliability": lambda: plots.reliability(BINS),
    "bars": lambda: tallies.bars({"a": {"images": 1200, "groups": 7}, "b": {"images": 3}}),
    "histograms": lambda: tallies.histograms([0, 5, 10], {"a": [3, 0], "b": [0, 1]}, "width"),
}


def texts(svg: str) -> list[str]:
    """The words of a drawing, in drawing order."""
    return [e.text or "" for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("}text")]


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_well_formed_and_the_same_twice(name: str) -> None:
    svg = DRAWINGS[name]()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert svg == DRAWINGS[name]()


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_takes_its_colours_from_the_page(name: str) -> None:
    svg = DRAWINGS[name]()
    assert "var(--ink, #" in svg
    assert not re.findall(r"(?:fill|stroke): #", svg)  # else it would not turn with dark mode
    assert "<style" not in svg  # else it would style the page around it
    assert "<!DOCTYPE" not in svg


def test_the_matrix_shows_counts_and_row_shares() -> None:
    shown = texts(plots.confusion([[3, 1], [0, 0]], ["a", "b"]))
    cells = [text for text in shown if text not in ("a", "b", "true", "predicted")]
    assert cells == ["3", "75.0 %", "1", "25.0 %", "0", "\N{EN DASH}", "0", "\N{EN DASH}"]


def test_many_classes_still_fit() -> None:
    labels = [f"class number {i} of forty-four" for i in range(44)]
    matrix = [[7 if i == j else 0 for j in range(44)] for i in range(44)]
    assert texts(plots.confusion(matrix, labels)).count("7") == 44


def test_a_label_is_neither_mathematics_nor_markup() -> None:
    label = "$x^2$ <b>&"
    svg = plots.confusion([[1, 0], [0, 1]], [label, "\N{CJK UNIFIED IDEOGRAPH-8111}"])
    assert texts(svg).count(label) == 2
    assert "<b>" not in svg


def test_the_best_epoch_is_marked_where_there_is_one() -> None:
    assert "best epoch: 1" in texts(plots.curves(HISTORY, "loss", 1))
    assert not [t for t in texts(plots.curves(HISTORY, "loss", None)) if "best" in t]


def test_an_axis_that_does_not_begin_at_zero_says_so() -> None:
    rows = {"a": {"accuracy": Estimate(0.95, 0.93, 0.97)}}
    assert "the axis begins at 90 %" in texts(forest.intervals(rows))
    rows = {"a": {"accuracy": Estimate(0.2, 0.05, 0.3)}}
    assert not [t for t in texts(forest.intervals(rows)) if "begins" in t]


def test_bars_are_numbered_and_histograms_named() -> None:
    bars = texts(DRAWINGS["bars"]())
    assert {"1,200", "7", "3", "images", "groups"} <= set(bars)
    assert {"a", "b", "width", "3", "1", "0", "2", "4", "6", "8", "10"} == set(
        texts(DRAWINGS["histograms"]())
    )


def test_the_longest_bar_is_the_largest_count() -> None:
    svg = tallies.bars({"a": {"images": 40}, "b": {"images": 10}, "c": {"images": 0}})
    widths = [float(w) for w in re.findall(r'<rect [^>]*width="([\d.]+)"', svg)]
    assert widths == pytest.approx([4 * widths[1], widths[1], 0], abs=0.3)


def test_a_name_in_a_tally_is_no_markup() -> None:
    label = "<b>&"
    for svg in (tallies.bars({label: {"n": 1}}), tallies.histograms([0, 1], {label: [1]}, label)):
        assert label in texts(svg)


def test_reliability_shows_the_count_of_each_filled_bin() -> None:
    assert "37" in texts(plots.reliability(BINS))


def test_nothing_to_draw_is_an_empty_drawing() -> None:
    for svg in (
        plots.curves([], "loss", None),
        forest.intervals({}),
        plots.reliability([]),
        tallies.bars({}),
        tallies.histograms([0], {}, ""),
    ):
        assert svg.startswith("<svg")
