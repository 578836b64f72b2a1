"""The audit's page: which pictures it shows, beside what, how many, and what it keeps to itself."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brainlens.core.seeding import generator
from brainlens.data import symmetry
from brainlens.data.index import Index, Row
from brainlens.report.gallery import NOWHERE, galleries, spread
from brainlens.report.names import PATHS, numbers
from brainlens.report.thumbnails import SIDE, Thumbnails

LABELS = {"a.png": "glioma", "b.png": "none", "c.png": "glioma", "d.png": "none", "a2.png": "none"}


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Five pictures, the last a copy of the first; b is a turned by 90 degrees clockwise."""
    rough = generator("gallery").integers(0, 256, (8, 6)).astype(np.uint8)
    first = np.asarray(Image.fromarray(rough).resize((120, 160), Image.Resampling.BICUBIC))
    pictures = {
        "a.png": first, "b.png": np.rot90(first, -1), "c.png": first[::-1], "d.png": first // 2,
        "a2.png": first,
    }  # fmt: skip
    rows = []
    for number, (name, grey) in enumerate(pictures.items()):
        Image.fromarray(np.ascontiguousarray(grey)).save(tmp_path / name)
        digest = "p0" if name == "a2.png" else f"p{number}"
        rows.append(Row(name, LABELS[name], name, digest, 120, 160, "L", "g"))
    return Index(tuple(rows), tmp_path)


def document(**parts: Any) -> dict[str, Any]:
    """An audit that found nothing but these parts."""
    empty: dict[str, Any] = {
        "pairs": [], "leaks": {}, "conflicts": [], "flagged": [], "flags": {}, "comparison": None,
    }  # fmt: skip
    return empty | parts


# b turned by 90 degrees counterclockwise is a.
PAIR = {"one": "a.png", "other": "b.png", "r": 0.9912, "transform": symmetry.NAMES[6]}


def leak(path: str, seen: str, kind: str) -> dict[str, str]:
    return {
        "path": path, "label": LABELS[path], "side": "test", "kind": kind, "seen": seen,
        "seen_label": LABELS[seen],
    }  # fmt: skip


def pixels(tile: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The picture of a tile."""
    data = base64.b64decode(tile["src"].removeprefix("data:image/jpeg;base64,"))
    return np.asarray(Image.open(io.BytesIO(data)), np.int16)


def shown(index: Index, **parts: Any) -> list[dict[str, Any]]:
    return galleries(document(**parts), index, NOWHERE, Thumbnails(), PATHS)


@pytest.mark.parametrize(("judged", "seen"), [("a.png", "b.png"), ("b.png", "a.png")])
def test_a_leaked_twin_is_shown_as_it_is_and_turned_onto_its_original(
    index: Index, judged: str, seen: str
) -> None:
    found = {"test": {"images": [leak(judged, seen, "twin")]}}
    (section, *_) = shown(index, pairs=[PAIR], leaks=found)
    (card,) = section["cards"]
    assert card["words"] == "twin, r 0.991, two labels"
    assert [tile["name"] for tile in card["tiles"]] == [judged, seen, seen]
    first, second, turned = (pixels(tile) for tile in card["tiles"])
    assert first.shape == second.shape[::-1] == turned.shape
    assert np.abs(first - turned).mean() < 6  # JPEG apart, the same


def test_a_twin_is_known_by_its_pixels_whatever_copy_was_seen(index: Index) -> None:
    found = {"test": {"images": [leak("b.png", "a2.png", "twin"), leak("a2.png", "a.png", "copy")]}}
    section = shown(index, pairs=[PAIR], leaks=found)[0]
    assert [card["words"] for card in section["cards"]] == [
        "twin, r 0.991", "exact copy, two labels",
    ]  # fmt: skip


def test_a_member_of_a_group_is_not_said_to_be_a_twin(index: Index) -> None:
    found = {"test": {"images": [leak("a.png", "d.png", "group")]}}
    card = shown(index, leaks=found)[0]["cards"][0]
    assert card["words"] == "of one group: a patient, or twins of twins, two labels"


def test_a_conflict_shows_both_labels_however_many_images_share_one(index: Index) -> None:
    paths = ["a.png", *["c.png"] * 20, "b.png"]
    conflict = {"kind": "twin", "paths": paths, "labels": [LABELS[path] for path in paths]}
    doubted = {"kind": "second label", "paths": ["d.png"], "labels": ["none", "glioma"]}
    (section,) = shown(index, conflicts=[conflict, doubted])
    assert [card["words"] for card in section["cards"]] == [
        "twin: glioma or none", "second label: glioma or none",
    ]  # fmt: skip
    assert {tile["label"] for tile in section["cards"][0]["tiles"]} == {"glioma", "none"}
    assert section["cards"][1]["tiles"][0]["note"] == "or glioma"


def test_groups_hold_twins_of_twins_and_count_copies(index: Index) -> None:
    other = {"one": "b.png", "other": "c.png", "r": 0.985, "transform": "same"}
    groups, faint = shown(index, pairs=[PAIR, other])
    (card,) = groups["cards"]
    assert card["words"] == "3 pictures in 4 files"
    assert [tile["note"] for tile in card["tiles"]] == ["2 copies", "", ""]
    assert [card["words"] for card in faint["cards"]] == ["r 0.985", "r 0.991"]


def test_flags_come_one_by_one_with_the_farthest_first(index: Index) -> None:
    flags = {
        "blurred": {"beyond": "< 0.15", "why": "soft"}, "text": {"beyond": ">= 1", "why": "marks"},
        "blank": {"beyond": "< 20", "why": "flat"},
    }  # fmt: skip
    flagged = [
        {"path": "a.png", "flags": ["blurred=0.12", "text=1"]},
        {"path": "b.png", "flags": ["blurred=0.05"]},
        {"path": "c.png", "flags": ["text=7"]},
    ]
    blurred, text = shown(index, flags=flags, flagged=flagged)
    assert [card["tiles"][0]["note"] for card in blurred["cards"]] == ["0.05", "0.12"]
    assert [card["tiles"][0]["name"] for card in text["cards"]] == ["c.png", "a.png"]
    assert blurred["words"] == "Flagged where < 0.15: soft."


def test_a_sample_is_dealt_over_the_classes() -> None:
    assert spread(["a1", "a2", "a3", "b1", "a4"], lambda item: item[0], 3) == ["a1", "a2", "b1"]


def test_numbers_stand_for_names() -> None:
    row = Row("x/smith.png", "none", "d", "p", 9, 9, "L", "g")
    own, other, shown = numbers([row], [row, row])
    assert (own("x/smith.png"), other("nobody"), shown) == ("row 1", "other row unknown", False)


def test_pictures_are_small_grey_and_carry_nothing_of_the_file(tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((900, 600, 3), np.uint8))
    exif = image.getexif()
    exif[0x010E] = "PATIENT SMITH"
    image.save(tmp_path / "x.jpg", exif=exif, comment=b"PATIENT SMITH")
    uri = Thumbnails().of(tmp_path / "x.jpg")
    data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
    small = Image.open(io.BytesIO(data))
    assert (small.mode, small.size) == ("L", (SIDE * 2 // 3, SIDE))
    assert b"SMITH" in (tmp_path / "x.jpg").read_bytes()
    assert b"SMITH" not in data


def test_no_more_pictures_are_made_than_the_bounds_allow(index: Index) -> None:
    files = [index.file(row) for row in index.rows]
    few = Thumbnails(most=2)
    assert [bool(few.of(file)) for file in files] == [True, True, False, False, False]
    assert (few.made, few.left_out) == (2, 3)
    size = len(Thumbnails().of(files[0]))
    one = Thumbnails(most_bytes=size)
    assert [bool(one.of(files[0])), bool(one.of(files[0]))] == [True, False]
    assert one.bytes == size


def test_a_picture_that_is_gone_leaves_a_hole(index: Index, tmp_path: Path) -> None:
    (tmp_path / "a.png").unlink()
    found = {"test": {"images": [leak("a.png", "b.png", "twin")]}}
    tiles = shown(index, pairs=[PAIR], leaks=found)[0]["cards"][0]["tiles"]
    assert [bool(re.match("data:image/jpeg", tile["src"])) for tile in tiles] == [
        False, True, True,
    ]  # fmt: skip
