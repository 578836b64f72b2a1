"""The shortcut check sees the class in the metadata where it is, and only there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainlens.core.errors import IndexFileError
from brainlens.core.images import open_image, to_grey
from brainlens.core.seeding import generator
from brainlens.data.index import Row
from brainlens.data.shortcut import FEATURES, _dealt, facts, shortcut


def known(**values: float | str) -> dict[str, float | str]:
    """Facts of one image, the usual ones unless told."""
    usual: dict[str, float | str] = dict.fromkeys(FEATURES, 1.0)
    return usual | {"mode": "L", "file type": ".png"} | values


def two_classes(n: int = 80) -> tuple[list[str], list[str]]:
    """Labels in turn, and every image its own group."""
    return [("glioma", "none")[i % 2] for i in range(n)], [f"g{i}" for i in range(n)]


def test_a_class_of_its_own_mode_is_visible() -> None:
    labels, groups = two_classes()
    modes = [{"glioma": "L", "none": "RGB"}[label] for label in labels]
    found = shortcut([known(mode=mode) for mode in modes], labels, groups)
    assert found.visible
    assert found.balanced_accuracy == 1.0
    assert next(iter(found.alone)) == "mode"
    assert found.alone["width"] == 0.5
    assert found.sentence.startswith("The class is visible in the metadata")
    assert "mode 1.00" in found.sentence


def test_metadata_that_are_chance_show_nothing() -> None:
    labels, groups = two_classes(200)
    random = generator("chance")
    table = [known(width=random.normal(), mean=random.normal()) for _ in labels]
    found = shortcut(table, labels, groups)
    assert not found.visible
    assert abs(found.balanced_accuracy - 0.5) < 0.15
    assert found.sentence.startswith("The class is not clearly visible")


@given(
    sizes=st.lists(st.integers(1, 9), min_size=12, max_size=60), classes=st.integers(2, 4),
    folds=st.integers(2, 5), seed=st.integers(0, 99),
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_folds_keep_groups_whole_and_classes_even(
    sizes: list[int], classes: int, folds: int, seed: int
) -> None:
    g = np.repeat(np.arange(len(sizes)), sizes)
    y = g % classes  # every group of one class
    fold = _dealt(y, g, folds, seed)
    assert all(len(set(fold[g == k].tolist())) == 1 for k in range(len(sizes)))
    for name in range(classes):
        held = np.bincount(fold[y == name], minlength=folds)
        # Dealt the largest first, no fold is ahead of another by more than one group.
        assert held.max() - held.min() <= max(sizes[name::classes])


def test_what_only_tells_the_group_tells_nothing() -> None:
    # Ten images a group, each group of one class and of its own random width: splitting image by
    # image the width would give the class away, keeping groups whole it cannot.
    random = generator("groups")
    order = random.permutation(40)
    labels = [("glioma", "none")[g % 2] for g in range(40) for _ in range(10)]
    groups = [f"g{g}" for g in range(40) for _ in range(10)]
    table = [known(width=float(order[g])) for g in range(40) for _ in range(10)]
    assert not shortcut(table, labels, groups).visible
    alone = [f"g{i}" for i in range(len(labels))]
    assert shortcut(table, labels, alone).balanced_accuracy > 0.9


def test_chance_and_majority_are_told_apart() -> None:
    labels = ["glioma"] * 90 + ["none"] * 10
    found = shortcut([known()] * 100, labels, [f"g{i}" for i in range(100)])
    assert (found.chance, found.majority) == (0.5, 0.9)
    assert found.classes == ("glioma", "none")
    assert not found.visible


def test_equal_seeds_give_equal_figures() -> None:
    labels, groups = two_classes(60)
    random = generator("equal")
    table = [known(mean=random.normal(), std=random.normal()) for _ in labels]
    assert shortcut(table, labels, groups) == shortcut(table, labels, groups)


def test_too_few_groups_are_an_error_that_says_so() -> None:
    with pytest.raises(IndexFileError, match=r"none 1; expected two classes or more with two"):
        shortcut([known()] * 6, ["glioma"] * 4 + ["none"] * 2, ["a", "b", "c", "d", "e", "e"])
    with pytest.raises(IndexFileError, match="glioma 2; expected"):
        shortcut([known()] * 2, ["glioma"] * 2, ["a", "b"])


def test_facts_are_those_of_the_row_and_the_picture() -> None:
    grey = np.full((100, 200), 50, np.uint8)
    grey[:4] = 255
    told = facts(Row("a/B.JPG", "none", "", "", 200, 100, "RGB", "g"), grey)
    assert told["aspect"] == 2.0
    assert (told["mode"], told["file type"]) == ("RGB", ".jpg")
    assert told["border"] == pytest.approx(0.04)
    assert (told["mean"], told["std"]) == (50.0, 0.0)  # of what the frame holds


def test_the_module_imports_without_scikit_learn() -> None:
    code = "import sys, brainlens.data.shortcut, brainlens.data.quality; "
    code += "sys.exit(bool({'sklearn', 'scipy', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_size_alone_gives_the_class_away_in_navoneel(shared: Path) -> None:
    table, labels = [], []
    for file in sorted((shared / "data/mri/navoneel").glob("*/*")):
        image = open_image(file)
        row = Row(f"{file.parent.name}/{file.name}", "", "", "", *image.size, image.mode, "")
        table.append(facts(row, to_grey(image)))
        labels.append(file.parent.name)
    found = shortcut(table, labels, [str(i) for i in range(len(labels))])
    assert found.visible
    assert found.balanced_accuracy > 0.65
