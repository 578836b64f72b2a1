"""Sizes are counted between round edges, every image once; planes only where somebody knows."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from brainlens.data.census import census, histogram, plane_of, planes
from brainlens.data.index import Row

ROW = Row("a.png", "glioma", "d", "p", 200, 100, "L", "g")


def test_sizes_are_counted_by_class_between_round_edges() -> None:
    # Span 100 over 22 bins asks for 4.5 pixels: the round step above is 5.
    held = histogram([("a", 150), ("a", 154), ("b", 250)])
    assert held["edges"][:3] == [150, 155, 160]
    assert held["edges"][-1] == 255
    assert held["classes"]["a"][0] == 2
    assert held["classes"]["b"][-1] == 1


def test_one_size_is_one_bin() -> None:
    assert histogram([("a", 512), ("a", 512)]) == {"edges": [512, 513], "classes": {"a": [2]}}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 30_000)), min_size=1))
def test_every_image_is_counted_once_in_few_bins(values: list[tuple[str, int]]) -> None:
    held = histogram(values)
    assert len(held["edges"]) <= 26
    for label, counts in held["classes"].items():
        assert sum(counts) == sum(own == label for own, _ in values)


def test_planes_are_counted_where_known_and_unknown_ones_come_last() -> None:
    notes = ("plane=axial", "", "second-label=none;plane=axial", "plane=coronal")
    rows = [dataclasses.replace(ROW, flags=note) for note in notes]
    rows[3] = dataclasses.replace(rows[3], label="none")
    assert [plane_of(row) for row in rows] == ["axial", "", "axial", "coronal"]
    assert list(planes(rows).items()) == [
        ("axial", {"glioma": 2, "none": 0}),
        ("coronal", {"glioma": 0, "none": 1}),
        ("unknown", {"glioma": 1, "none": 0}),
    ]


def test_where_no_plane_is_known_none_is_told() -> None:
    assert census([ROW])["planes"] == {}
