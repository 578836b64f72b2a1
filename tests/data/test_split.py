"""No group is on two sides, classes keep their shares, and impossible requests say why."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainlens.core.errors import SplitError
from brainlens.data.index import Index, Row
from brainlens.data.split import read_record, record_path, split_rows, write_record


def row(n: int, label: str, group: str, **known: str) -> Row:
    """A row that stands for the n-th image."""
    return Row(f"{n}.png", label, f"d{n}", f"p{n}", 10, 10, "L", group, **known)


def two_classes(groups: int = 20, size: int = 3) -> list[Row]:
    """`groups` groups of `size` images for each of two classes."""
    return [
        row(i, label, f"{label}{i % groups}")
        for label, first in (("glioma", 0), ("none", 1000))
        for i in range(first, first + groups * size)
    ]


def sides_of_groups(rows: list[Row]) -> dict[str, set[str]]:
    """The sides that each group's images are on."""
    sides: defaultdict[str, set[str]] = defaultdict(set)
    for r in rows:
        sides[r.group].add(r.split)
    return sides


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 25)), min_size=30, max_size=150),
    st.integers(0, 5),
)
@settings(deadline=None, max_examples=60)
def test_no_group_is_ever_on_two_sides(items: list[tuple[str, int]], seed: int) -> None:
    rows = [row(i, label, f"g{group}") for i, (label, group) in enumerate(items)]
    try:
        done, _ = split_rows(rows, protocol="grouped", test=0.2, val=0.2, seed=seed)
    except SplitError:
        return
    assert all(len(sides) == 1 for sides in sides_of_groups(done).values())
    for side in ("train", "val", "test"):
        assert {r.label for r in done if r.split == side} == {r.label for r in rows}


def test_classes_keep_their_shares() -> None:
    rows = two_classes(groups=50, size=2)
    done, record = split_rows(rows, protocol="grouped", test=0.2, val=0.25, seed=3)
    for label in ("glioma", "none"):
        assert record.counts["test"][label] == 20  # 0.2 of 100
        assert record.counts["val"][label] == 20  # 0.25 of the other 80
    assert sum(r.split == "train" for r in done) == 120


def test_the_seed_alone_decides() -> None:
    rows = two_classes()
    first, _ = split_rows(rows, protocol="grouped", seed=1)
    again, _ = split_rows(rows, protocol="grouped", seed=1)
    other, _ = split_rows(rows, protocol="grouped", seed=2)
    assert first == again
    assert [r.split for r in first] != [r.split for r in other]


def test_random_lets_groups_leak_and_says_so() -> None:
    done, record = split_rows(two_classes(groups=10, size=10), protocol="random", test=0.2)
    assert any(len(sides) > 1 for sides in sides_of_groups(done).values())
    assert "leak" in record.note


def test_official_keeps_the_folders_and_cuts_validation_from_training() -> None:
    rows = [replace(r, official="test" if i % 5 == 0 else "train") for i, r in
            enumerate(two_classes(groups=60, size=1))]  # fmt: skip
    done, _ = split_rows(rows, protocol="official", val=0.2)
    assert all((r.split == "test") == (r.official == "test") for r in done)
    assert sum(r.split == "val" for r in done) == pytest.approx(0.2 * 96, abs=1)


def test_official_without_folders_is_refused() -> None:
    with pytest.raises(SplitError) as caught:
        split_rows(two_classes(), protocol="official")
    assert str(caught.value) == (
        "--protocol official: the index has no Training and Testing folders. Use --protocol grouped"
    )


def test_a_known_patient_fold_is_test_as_a_whole() -> None:
    rows = two_classes(groups=40, size=2)
    rows = [replace(r, fold=str(int(r.group.removeprefix("glioma")) % 4 + 1))
            if r.label == "glioma" else r for r in rows]  # fmt: skip
    done, record = split_rows(rows, protocol="grouped", test=0.1, val=0.1, fold="3")
    assert all((r.split == "test") == (r.fold == "3") for r in done if r.fold)
    assert record.fold == "3"
    assert record.counts["test"]["none"] == 8  # a tenth of those without a fold


def officially(rows: list[Row], *sides: str) -> list[Row]:
    """The rows with official sides, dealt in turn."""
    return [replace(r, official=sides[i % len(sides)]) for i, r in enumerate(rows)]


def test_an_official_validation_side_is_kept_as_it_is() -> None:
    rows = officially(two_classes(size=1), "train", "val", "test", "")
    done, record = split_rows(rows, protocol="official", val=0.5)
    assert [r.split for r in done] == [r.official for r in rows]
    assert record.note == "10 images of no official side left out"
    _, whole = split_rows(officially(two_classes(), "train", "test"), protocol="official")
    assert whole.note == ""


def test_a_class_of_few_groups_is_on_every_side_with_a_small_one() -> None:
    """Shares alone would leave all of it to training."""
    rows = [row(i, "glioma", f"g{min(i // 30, 1) + max(i - 30, 0)}") for i in range(33)]
    rows += [row(1000 + i, "none", f"n{i // 2}") for i in range(200)]
    done, _ = split_rows(rows, protocol="grouped", test=0.01, val=0.01)
    held = {side: [r for r in done if r.label == "glioma" and r.split == side]
            for side in ("train", "val", "test")}  # fmt: skip
    assert [len(held["val"]), len(held["test"])] == [1, 1]
    assert len(held["train"]) == 31
    assert all(len(sides) == 1 for sides in sides_of_groups(done).values())


def test_two_classes_in_one_group_serve_a_side_together() -> None:
    rows = [row(i, ("glioma", "none")[i % 2], f"g{i // 2}") for i in range(6)]
    done, _ = split_rows(rows, protocol="grouped", test=0.3, val=0.3)
    assert sorted(r.split for r in done) == ["test", "test", "train", "train", "val", "val"]


def test_official_without_a_share_for_validation_has_none() -> None:
    done, _ = split_rows(officially(two_classes(), "train", "test"), protocol="official", val=0)
    assert {r.split for r in done} == {"train", "test"}


def test_validation_cut_from_official_training_keeps_groups_whole() -> None:
    rows = [replace(r, official="train") for r in two_classes()]
    rows += [replace(r, path=f"test-{r.path}", group=f"other-{r.group}", official="test")
             for r in two_classes(size=1)]  # fmt: skip
    done, _ = split_rows(rows, protocol="official", val=0.2, seed=4)
    assert all(len(sides) == 1 for sides in sides_of_groups(done).values())
    assert sum(r.split == "val" for r in done) == 24  # 0.2 of 120
    other, _ = split_rows(rows, protocol="official", val=0.2, seed=5)
    assert [r.split for r in done] != [r.split for r in other]


def test_folds_are_five_and_the_seed_chooses_the_one_to_test() -> None:
    chosen = [split_rows(two_classes(), protocol="folds", seed=seed)[1] for seed in range(12)]
    assert {record.folds for record in chosen} == {5}
    assert {record.fold for record in chosen} <= set("12345")
    assert len({record.fold for record in chosen}) > 1
    assert chosen[3] == split_rows(two_classes(), protocol="folds", seed=3)[1]
    first, record = split_rows(two_classes(), protocol="folds", fold="2", seed=1)
    assert record.note == "fold 2 of 5 is test"
    again, _ = split_rows(two_classes(), protocol="folds", fold="2", seed=1)
    other, _ = split_rows(two_classes(), protocol="folds", fold="2", seed=2)
    assert [r.split for r in first] == [r.split for r in again] != [r.split for r in other]
    assert sum(r.split == "test" for r in first) == 24  # a fifth of 120
    assert [r.split == "test" for r in first] != [r.split == "test" for r in other]


def test_a_known_fold_is_told_with_its_images() -> None:
    rows = [replace(r, fold="AB"[i % 2]) if i < 20 else r for i, r in enumerate(two_classes(60, 1))]
    _, record = split_rows(rows, protocol="grouped", fold="B", test=0.2)
    assert record.note == "patient fold B of 2 is test as a whole (10 images)"
    assert (record.folds, record.fold) == (2, "B")
    first, other = (
        split_rows(rows, protocol="grouped", fold="B", test=0.2, val=0.2, seed=seed)[0]
        for seed in (1, 2)
    )
    loose = [i for i, r in enumerate(rows) if not r.fold]
    assert [first[i].split == "test" for i in loose] != [other[i].split == "test" for i in loose]
    folded = [replace(r, fold="ABC"[i % 3]) for i, r in enumerate(two_classes(60, 1))]
    first, other = (
        split_rows(folded, protocol="grouped", fold="B", val=0.2, seed=seed)[0] for seed in (1, 2)
    )
    assert [r.split for r in first] != [r.split for r in other]  # val alone can differ
    with pytest.raises(SplitError, match="--folds 3: the index knows patients by 2 folds"):
        split_rows(rows, protocol="folds", folds=3)


def test_an_index_without_a_record_says_so(tmp_path: Path) -> None:
    assert read_record(Index((), tmp_path), tmp_path / "index.csv") == {
        "protocol": "unknown", "note": "no index.split.json: the split column was given"
    }  # fmt: skip


def test_folds_cover_every_image_once() -> None:
    rows = two_classes(groups=12, size=3)
    tested: list[str] = []
    for fold in "12345":
        done, _ = split_rows(rows, protocol="folds", folds=5, fold=fold, val=0.2)
        tested += [r.path for r in done if r.split == "test"]
        assert all(len(sides) == 1 for sides in sides_of_groups(done).values())
    assert sorted(tested) == sorted(r.path for r in rows)


def test_a_group_in_two_patient_folds_is_refused() -> None:
    rows = two_classes()
    rows[0], rows[20] = replace(rows[0], fold="1"), replace(rows[20], fold="2")
    assert rows[0].group == rows[20].group
    with pytest.raises(SplitError) as caught:
        split_rows(rows, protocol="grouped")
    told = "a group spans two patient folds. Correct the manifest and index again"
    assert str(caught.value) == told


def test_a_class_with_too_few_groups_is_explained() -> None:
    rows = [*two_classes(), row(9999, "pituitary", "p"), row(9998, "pituitary", "p")]
    with pytest.raises(SplitError, match=r"'pituitary' has 2 images in 1 group .* 3 sides"):
        split_rows(rows, protocol="grouped")


def test_more_folds_than_groups_is_explained() -> None:
    with pytest.raises(SplitError, match="fewer --folds"):
        split_rows(two_classes(groups=4), protocol="folds", folds=6, fold="1")


def test_an_unknown_fold_names_the_valid_ones() -> None:
    with pytest.raises(SplitError, match="valid: 1, 2, 3"):
        split_rows(two_classes(), protocol="folds", folds=3, fold="7")


@pytest.mark.parametrize(("test", "val"), [(1.0, 0.1), (-0.1, 0.1), (0.5, 0.5)])
def test_impossible_shares_are_refused(test: float, val: float) -> None:
    with pytest.raises(SplitError, match="--test"):
        split_rows(two_classes(), protocol="grouped", test=test, val=val)


def test_one_class_is_refused() -> None:
    rows = [r for r in two_classes() if r.label == "none"]
    with pytest.raises(SplitError, match="needs two classes"):
        split_rows(rows, protocol="grouped")


def test_tumours_of_unknown_kind_beside_known_kinds_are_refused() -> None:
    rows = [*two_classes(), row(9999, "tumour", "t")]
    with pytest.raises(SplitError, match="--label-map binary"):
        split_rows(rows, protocol="grouped")


def test_synthetic_images_only_train() -> None:
    rows = [replace(r, origin="dcgan") if i % 4 == 0 else r for i, r in enumerate(two_classes())]
    for protocol in ("grouped", "random"):
        done, _ = split_rows(rows, protocol=protocol, test=0.3)
        assert all(r.split == "train" for r in done if r.origin != "real")


def test_a_record_of_another_state_of_the_index_is_not_believed(tmp_path: Path) -> None:
    done, record = split_rows(two_classes(), protocol="grouped")
    path = tmp_path / "index.csv"
    write_record(record, path)
    assert record_path(path).name == "index.split.json"
    assert read_record(Index(tuple(done), tmp_path), path)["protocol"] == "grouped"
    changed = (replace(done[0], split="test" if done[0].split == "train" else "train"), *done[1:])
    assert read_record(Index(changed, tmp_path), path) == {
        "protocol": "unknown", "note": "index.split.json is of another state of the index",
    }  # fmt: skip


def test_the_record_says_what_was_asked_and_what_came_of_it() -> None:
    rows = two_classes()
    done, record = split_rows(rows, protocol="random", test=0.2, val=0.1, seed=7)
    assert (record.seed, record.test, record.val) == (7, 0.2, 0.1)
    assert record.note == "image by image: groups may leak"
    assert record.groups == {
        side: len({r.group for r in done if r.split == side}) for side in ("train", "val", "test")
    }
    sides = [
        [r.split for r in split_rows(rows, protocol="random", seed=seed)[0]] for seed in (0, 1)
    ]
    assert sides[0] != sides[1]
    assert sides[0] == [r.split for r in split_rows(rows, protocol="random")[0]]
    assert split_rows(rows, protocol="grouped")[1].note == ""


@pytest.mark.parametrize("name", ["test", "val"])
def test_a_share_of_all_images_is_refused(name: str) -> None:
    with pytest.raises(SplitError, match=name):
        split_rows(two_classes(), protocol="grouped", **{name: 1.0})  # type: ignore[arg-type]


def test_classes_that_overlap_are_explained() -> None:
    rows = [*two_classes(), *(row(5000 + i, "tumour", f"t{i}") for i in range(20))]
    with pytest.raises(SplitError) as caught:
        split_rows(rows, protocol="grouped")
    assert str(caught.value) == (
        "some images say only 'tumour' and others which kind: the classes overlap. Index again "
        "with --label-map binary (tumour or none) or --label-map types (the four classes); for "
        "a dense head, which learns from both, split with --partial tumour"
    )
    for kind in ("meningioma", "pituitary"):
        named = [replace(r, label=kind) if r.label == "glioma" else r for r in rows]
        with pytest.raises(SplitError, match="classes overlap"):
            split_rows(named, protocol="grouped")
    binary = [r for r in rows if r.label != "glioma"]
    assert split_rows(binary, protocol="grouped")[1].note == ""
    assert split_rows(rows, protocol="grouped", partial="tumour")[1].note == ""
