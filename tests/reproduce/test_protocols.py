"""Each protocol divides as its document says, and the clean ones share nothing."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.data.index import Row
from brainlens.recipes import list_recipes, read_published
from brainlens.reproduce.claims import read_claim
from brainlens.reproduce.multiplied import multiply
from brainlens.reproduce.protocols import PROTOCOLS, Plan, between, protocol
from brainlens.reproduce.sets import Pool


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that every row shows: the plans never look, but for those that multiply."""
    path = tmp_path_factory.mktemp("drawn") / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 50)).astype(np.uint8)).save(path)
    return path


def rows(path: Path, source: str, **classes: int) -> list[Row]:
    """Rows of a set: every fourth shares a group with the one before it."""
    found = []
    for label, count in classes.items():
        for i in range(count):
            name = f"{source}-{label}-{i - (i % 4 == 3)}"
            digest = f"{source}-{label}-{i}"
            found.append(Row(str(path), label, digest, digest, 60, 50, "L", group=name))
    return found


def pool(**sets: list[Row]) -> Pool:
    names = [name for name, own in sets.items() for _ in own]
    return Pool(tuple(row for own in sets.values() for row in own), tuple(names))


def binary(path: Path) -> Pool:
    """Navoneel's 253, and another set that shares a group with it."""
    tested = rows(path, "navoneel", tumour=155, none=98)
    other = rows(path, "br35h", tumour=60, none=60)
    other[0] = dataclasses.replace(other[0], group=tested[0].group)
    return pool(navoneel=tested, br35h=other)


def four(path: Path) -> Pool:
    return pool(sartaj=rows(path, "s", glioma=60, meningioma=60, none=60, pituitary=60))


def shared_groups(plan: Plan, judged: str = "") -> set[str]:
    return {r.group for r in plan.learned} & {r.group for r in plan.judged[judged]}


def unique(given: Pool) -> Pool:
    """Rows with paths of their own, for the splits, which tell rows apart by path."""
    return Pool(tuple(dataclasses.replace(r, path=r.digest) for r in given.rows), given.sets)


@pytest.mark.parametrize("name", ["grouped", "grouped-all"])
def test_grouped_protocols_share_no_group(drawn: Path, name: str, tmp_path: Path) -> None:
    plan = protocol(name).plan(unique(four(drawn)), tmp_path)
    assert not shared_groups(plan)
    assert {row.split for row in plan.learned} == {"train", "val"}


@pytest.mark.parametrize("name", ["merge-shuffle", "random", "random-all"])
def test_published_protocols_share_groups(drawn: Path, name: str, tmp_path: Path) -> None:
    plan = protocol(name).plan(unique(four(drawn)), tmp_path)
    assert shared_groups(plan)
    assert protocol(name).leaks


def test_seed_a_shuffles_and_cuts_as_its_code_does(drawn: Path, tmp_path: Path) -> None:
    plan = protocol("merge-shuffle").plan(unique(four(drawn)), tmp_path)
    # 240 images: 24 test; of the other 216 Keras keeps the last 21.6, rounded up, for validation.
    assert Counter(row.split for row in plan.learned) == {"train": 194, "val": 22}
    assert len(plan.judged[""]) == 24


def test_seed_b_trains_on_its_test_set_unless_its_own_set_is_given(
    drawn: Path, tmp_path: Path
) -> None:
    given = unique(binary(drawn))
    plan = protocol("test-set-in-training").plan(given, tmp_path)
    assert len(plan.judged[""]) == 253
    assert len(plan.learned) == 373
    assert {r.digest for r in plan.judged[""]} <= {r.digest for r in plan.learned}
    assert "stand in" in plan.note
    own = unique(pool(navoneel=rows(drawn, "n", tumour=20, none=20),
                      br35h=rows(drawn, "b", tumour=20, none=20),
                      edureka=rows(drawn, "e", tumour=40, none=40)))  # fmt: skip
    plan = protocol("test-set-in-training").plan(own, tmp_path)
    assert len(plan.learned) == 80
    assert plan.note == ""


def test_the_external_test_loses_its_twins_from_training(drawn: Path, tmp_path: Path) -> None:
    plan = protocol("external").plan(unique(binary(drawn)), tmp_path)
    assert not shared_groups(plan)
    assert len(plan.judged[""]) == 253
    assert len(plan.learned) == 119
    assert plan.note == "1 of 120 training images removed as twins"


def test_between_two_sets_both_figures_are_planned(drawn: Path, tmp_path: Path) -> None:
    given = unique(binary(drawn))
    plan = between("br35h", "navoneel").plan(given, tmp_path)
    assert len(plan.judged["all images"]) == 253
    # The shared group has two members: images 0 stands alone, its group is of one image.
    assert len(plan.judged["twins removed"]) == 252
    assert not shared_groups(plan, "twins removed")
    assert shared_groups(plan, "all images")


def navoneel(path: Path, folder: Path) -> Pool:
    """Small copies of one file under many names, so that versions can be made."""
    folder.mkdir()
    found = []
    for row in rows(path, "navoneel", tumour=20, none=20):
        copy = folder / f"{row.digest}.png"
        copy.write_bytes(path.read_bytes())
        found.append(dataclasses.replace(row, path=str(copy)))
    return pool(navoneel=found)


def test_seed_c_multiplies_before_the_split_and_ours_after(drawn: Path, tmp_path: Path) -> None:
    given = navoneel(drawn, tmp_path / "scans")
    before = protocol("augment-before-split").plan(given, tmp_path / "before")
    images = len(before.learned) + len(before.judged[""])
    assert images == 20 * 7 + 20 * 10
    seen = {r.group for r in before.learned}
    assert all(row.group in seen for row in before.judged[""])  # every source is on both sides
    after = protocol("augment-after-split").plan(given, tmp_path / "after")
    assert not shared_groups(after)
    assert not any(r.flags for r in after.judged[""] if r.flags)
    assert not any(r.flags for r in after.learned if r.split == "val")
    trained = Counter(r.label for r in after.learned if r.split == "train" and not r.flags)
    made = Counter(r.label for r in after.learned if r.split == "train")
    assert made == {"tumour": 7 * trained["tumour"], "none": 10 * trained["none"]}


def test_versions_differ_keep_their_group_and_come_out_the_same_again(
    drawn: Path, tmp_path: Path
) -> None:
    (row,) = rows(drawn, "n", tumour=1)
    once = multiply([row], {"tumour": 4}, tmp_path / "a")
    again = multiply([row], {"tumour": 4}, tmp_path / "b")
    assert len(once) == 4
    assert len({r.pixel_digest for r in once}) == 4
    assert {r.group for r in once} == {row.group}
    assert [r.pixel_digest for r in once] == [r.pixel_digest for r in again]
    assert multiply([row], {}, tmp_path / "c") == [row]
    twice = multiply([row, row], {"tumour": 3}, tmp_path / "d")  # a file that a set holds twice
    assert len({r.path for r in twice}) == 5


def test_every_recipe_with_a_document_names_protocols_of_the_table() -> None:
    claims = {name: read_claim(name) for name, _ in list_recipes() if read_published(name)}
    assert len(claims) == 11
    for name, claim in claims.items():
        seed, clean = protocol(claim.seed_protocol), protocol(claim.clean_protocol)
        assert seed.leaks, name
        assert not clean.leaks, name
        assert seed.labels == clean.labels, name
        assert claim.chose, name
    assert {c.seed_protocol for c in claims.values()} | {
        c.clean_protocol for c in claims.values()
    } == set(PROTOCOLS)


def test_published_figures_are_those_of_the_documents() -> None:
    figures = {name: read_claim(name).accuracy for name, _ in list_recipes()
               if read_published(name)}  # fmt: skip
    assert figures == {
        "a-densenet121": 0.9132, "a-densenet121-dcgan": 0.9864, "b-cnn": 0.99605,
        "b-cnn-dropout": 0.99605, "b-cnn-augmented": 0.90514, "b-vgg16": 0.99605,
        "b-vgg16-block3": 0.62055, "c-cnn-augmented": 0.7385, "d-inception-v3": None,
        "d-efficientnetv2": None, "best": None,
    }  # fmt: skip
