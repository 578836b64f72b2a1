"""What the groups missed is found before training, in both directions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PIL import Image

from brainlens.data.index import Row
from brainlens.data.indexing import index_folders
from brainlens.data.sample import SAMPLE_DIR
from brainlens.reproduce.protocols import CLEAN, Plan
from brainlens.reproduce.separation import separated


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Row], list[Row]]:
    """Eight learned and four judged slices of other patients; judged 0 is learned 0, turned."""
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "cache"))
    for side, numbers in (("learned", range(1, 40, 5)), ("judged", range(42, 60, 5))):
        (tmp_path / side / "glioma").mkdir(parents=True)
        for number in numbers:
            source = SAMPLE_DIR / "glioma" / f"glioma-{number:03}.jpg"
            (tmp_path / side / "glioma" / source.name).write_bytes(source.read_bytes())
    with Image.open(tmp_path / "learned" / "glioma" / "glioma-001.jpg") as picture:
        picture.rotate(90).save(tmp_path / "judged" / "glioma" / "a-turned.png")
    learned, judged = (
        [dataclasses.replace(row, split=split) for row in
         index_folders([tmp_path / side], label_map={}).rows]
        for side, split in (("learned", "train"), ("judged", "test"))
    )  # fmt: skip
    return learned, judged


def names(rows: tuple[Row, ...]) -> set[str]:
    return {Path(row.path).name for row in rows}


def test_a_learned_twin_of_a_judged_image_does_not_train(
    sides: tuple[list[Row], list[Row]],
) -> None:
    learned, judged = sides
    done = separated(Plan(tuple(learned), {"": tuple(judged)}, "as planned"))
    assert names(tuple(learned)) - names(done.learned) == {"glioma-001.jpg"}
    assert done.judged[""] == tuple(judged)
    assert done.note == "as planned; 1 training images removed at last"


def test_between_sets_the_judged_twin_gives_way(sides: tuple[list[Row], list[Row]]) -> None:
    learned, judged = sides
    plan = Plan(tuple(learned), {"all images": tuple(judged), CLEAN: tuple(judged)})
    done = separated(plan)
    assert done.learned == tuple(learned)
    assert done.judged["all images"] == tuple(judged)
    assert names(tuple(judged)) - names(done.judged[CLEAN]) == {"a-turned.png"}


def test_a_clean_plan_stays_as_it_is(sides: tuple[list[Row], list[Row]]) -> None:
    learned, judged = sides
    rest = tuple(row for row in judged if not row.path.endswith("a-turned.png"))
    plan = Plan(tuple(learned), {"": rest}, "as planned")
    assert separated(plan) == plan
