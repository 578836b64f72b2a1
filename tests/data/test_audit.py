"""The audit finds what is planted in the sample, and sees a leak where there is one."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest

from brainlens.core.errors import IndexFileError, OutputError
from brainlens.data import symmetry
from brainlens.data.audit import Audit, audit_index
from brainlens.data.audit_file import audit_file
from brainlens.data.hashes import load_hashes, save_hashes
from brainlens.data.index import Index, read_index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.leakage import Leak, exclude, leak_table
from brainlens.data.sample import SAMPLE_DIR, copy_to
from brainlens.data.split import split_rows

with (SAMPLE_DIR / "manifest.csv").open(encoding="utf-8", newline="") as stream:
    ROWS = list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample, `scans`, and its index, which knows no patients and no twins."""
    folder = tmp_path_factory.mktemp("audit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAINLENS_CACHE", str(tmp_path_factory.mktemp("cache")))
        copy_to(folder / "scans")
        found = index_folders([folder / "scans"], label_map={})
        write_index(found.rows, Path("/"), folder / "index.csv")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("descriptors")


@pytest.fixture(autouse=True)
def _cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINLENS_CACHE", str(cache))


@pytest.fixture(scope="module")
def audit(places: Path, cache: Path) -> Audit:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAINLENS_CACHE", str(cache))
        return audit_index(read_index(places / "index.csv"))


def files(group: str) -> set[str]:
    """The sample's files of one planted group."""
    return {f"scans/{row['file']}" for row in ROWS if row["near_dup_group"] == group}


def test_every_planted_copy_and_twin_shares_its_original_s_group_and_nothing_else_does(
    audit: Audit,
) -> None:
    planted = {row["near_dup_group"] for row in ROWS} - {""}
    found: dict[str, set[str]] = {}
    for row in audit.rows:
        found.setdefault(row.group, set()).add(row.path)
    joined = {frozenset(paths) for paths in found.values() if len(paths) > 1}
    assert joined == {frozenset(files(group)) for group in planted}


def test_twins_are_pairs_of_different_pictures(audit: Audit) -> None:
    planted = [row for row in ROWS if "twin of" in row["note"]]
    assert len(audit.pairs) == len(planted)
    assert all(pair.one != pair.other and pair.r >= 0.98 for pair in audit.pairs)


def test_the_one_label_conflict_is_found(audit: Audit) -> None:
    (conflict,) = audit.conflicts
    assert set(conflict.labels) == {"meningioma", "pituitary"}
    assert any(set(conflict.paths) == files(row["near_dup_group"]) for row in ROWS)


def test_a_random_split_leaks_and_a_grouped_split_of_the_audited_index_does_not(
    places: Path, audit: Audit
) -> None:
    leaking, _ = split_rows(audit.source.rows, protocol="random", test=0.3, seed=0)
    random = audit_index(Index(tuple(leaking), places))
    side = {row.path: row.split for row in leaking}
    crossing = {
        path
        for row in ROWS
        for path in files(row["near_dup_group"] or "no such group")
        if side[path] == "test"
        and {side[other] for other in files(row["near_dup_group"])} & {"train", "val"}
    }
    assert crossing
    assert {leak.path for leak in random.leaks if leak.side == "test"} == crossing
    clean, _ = split_rows(audit.rows, protocol="grouped", test=0.3, seed=0)
    assert audit_index(Index(tuple(clean), places)).leaks == ()


def test_leaks_are_counted_by_class_and_nearest_kind(places: Path, audit: Audit) -> None:
    rows = [
        dataclasses.replace(row, split="test" if i % 2 else "train")
        for i, row in enumerate(sorted(audit.rows, key=lambda row: row.group))
    ]
    again = audit_index(Index(tuple(rows), places))
    table = leak_table([row for row in rows if row.split == "test"], again.leaks)
    assert sum(own["leaking"] for own in table.values()) == len(again.leaks)
    for own in table.values():
        assert own["copy"] + own["twin"] + own["group"] == own["leaking"] <= own["images"]
    copies = {f"scans/{row['file']}" for row in ROWS if "exact copy" in row["note"]}
    originals = {row["near_dup_group"] for row in ROWS if "exact copy" in row["note"]}
    of_copies = set().union(*(files(group) for group in originals)) | copies
    assert {leak.path for leak in again.leaks if leak.kind == "copy"} <= of_copies


def test_an_index_is_wholly_contained_in_itself(audit: Audit) -> None:
    against = audit_index(audit.source, against=audit.source).against
    assert against is not None
    assert [leak.path for leak in against.leaks] == [row.path for row in audit.rows]
    assert {leak.kind for leak in against.leaks} == {"copy"}
    assert against.index is audit.source
    within = {frozenset((pair.one, pair.other)) for pair in audit.pairs}
    assert {frozenset((pair.one, pair.other)) for pair in against.pairs} == within
    assert against.twins == len(against.pairs) == 2 * len(within)  # told from either side


def test_who_shares_a_group_with_a_leak_leaks_too(audit: Audit) -> None:
    """Of the audited index's own groups alone: the other's names mean something else."""
    one, mate, apart = [row for row in audit.rows if row.label == "none"][:3]
    rows = [dataclasses.replace(row, patient="", group=group)
            for row, group in ((one, "p"), (mate, "p"), (apart, "q"))]  # fmt: skip
    other = Index((dataclasses.replace(one, group="q"),), audit.source.folder)
    against = audit_index(Index(tuple(rows), audit.source.folder), against=other).against
    assert against is not None
    assert against.leaks == (
        Leak(one.path, "none", "", "copy", one.path, "none"),
        Leak(mate.path, "none", "", "group", one.path, "none"),
    )
    assert against.pairs == ()


def test_another_index_is_searched_for_turned_pictures_and_their_labels(
    places: Path, audit: Audit, tmp_path: Path
) -> None:
    from PIL import Image

    row = next(row for row in audit.rows if row.label == "glioma")
    (tmp_path / "none").mkdir()
    with Image.open(places / row.path) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "none" / "turned.png")
    other = index_folders([tmp_path], label_map={})
    against = audit_index(audit.source, against=Index(other.rows, Path("/"))).against
    assert against is not None
    assert row.path in {leak.path for leak in against.leaks}
    direct = next(leak for leak in against.leaks if leak.path == row.path)
    assert direct.kind == "twin"
    pair = next(pair for pair in against.pairs if pair.one == row.path)
    assert pair.other.endswith("none/turned.png")
    assert pair.r >= 0.98
    assert pair.transform == "turned by 90 clockwise"
    assert any(row.path in conflict.paths for conflict in against.conflicts)


def test_a_pair_of_twins_leaks_whichever_of_the_two_is_tested(audit: Audit) -> None:
    pair = audit.pairs[0]
    rows = {row.path: row for row in audit.rows}
    for one, other in ((pair.one, pair.other), (pair.other, pair.one)):
        for tested, seen in ((one, other), (other, one)):
            split = [
                dataclasses.replace(rows[path], split="test" if path == tested else "train")
                for path in (one, other)
            ]
            found = audit_index(Index(tuple(split), audit.source.folder))
            assert found.sides == "split"
            (leak,), (twin,) = found.leaks, found.pairs
            assert (leak.path, leak.kind, leak.seen) == (tested, "twin", seen)
            assert 1 >= twin.r >= 0.98
            assert twin.transform in symmetry.NAMES


def test_names_of_groups_of_two_indexes_have_nothing_to_do_with_each_other(audit: Audit) -> None:
    one, other = [row for row in audit.rows if row.label == "none"][:2]
    one, other = (dataclasses.replace(row, group="7") for row in (one, other))
    rest = Index((other,), audit.source.folder)
    against = audit_index(Index((one,), audit.source.folder), against=rest).against
    assert against is not None
    assert against.leaks == ()


def test_what_the_audit_holds_fits_together(audit: Audit) -> None:
    assert audit.sides == "none"
    assert audit.pixels == tuple(dict.fromkeys(row.pixel_digest for row in audit.rows))
    assert len(audit.descriptors) == len(audit.pixels)
    assert all(pair.transform in symmetry.NAMES for pair in audit.pairs)
    assert audit.recognised is None


def test_the_shortcut_check_follows_the_seed_and_says_why_there_is_none(audit: Audit) -> None:
    assert audit.shortcut is not None
    assert audit.shortcut.images == len(audit.rows)
    assert audit.shortcut_note == ""
    assert audit_index(audit.source, seed=0).shortcut == audit.shortcut
    assert audit_index(audit.source, seed=1).shortcut != audit.shortcut
    alike = tuple(row for row in audit.source.rows if row.label == "none")
    alone = audit_index(Index(alike, audit.source.folder))
    assert alone.shortcut is None
    assert "expected two classes or more" in alone.shortcut_note


def test_what_a_known_set_calls_otherwise_is_a_conflict(audit: Audit, tmp_path: Path) -> None:
    held = [row for row in audit.rows if row.label == "glioma"][:3]
    there = [dataclasses.replace(row, label="none", path=f"sartaj/{row.path}") for row in held]
    number = [audit.pixels.index(row.pixel_digest) for row in held]
    file = tmp_path / "set.npz"
    save_hashes(file, there, [row.pixel_digest for row in held], audit.descriptors.take(number))
    found = audit_index(Index(tuple(held), audit.source.folder), known=load_hashes(file))
    assert found.recognised is not None
    assert [one.path for one in found.recognised.images] == [row.path for row in held]
    told = [conflict for conflict in found.conflicts if conflict.kind == "known to sartaj"]
    assert [conflict.labels for conflict in told] == [("glioma", "none")] * 3


def test_a_tumour_of_unknown_kind_contradicts_no_kind_of_tumour() -> None:
    assert exclude("glioma", "meningioma")
    assert exclude("tumour", "none")
    assert not exclude("tumour", "glioma")
    assert not exclude("none", "none")


def test_a_second_label_of_the_manifest_is_a_conflict(places: Path, audit: Audit) -> None:
    rows = [dataclasses.replace(audit.rows[0], flags="second-label=none"), *audit.rows[1:20]]
    (conflict,) = audit_index(Index(tuple(rows), places)).conflicts
    assert conflict.kind == "second label"
    assert conflict.paths == (rows[0].path,)
    assert conflict.labels == (rows[0].label, "none")


def test_an_image_that_moved_is_named(audit: Audit, tmp_path: Path) -> None:
    with pytest.raises(IndexFileError, match="no such file, though the index lists it"):
        audit_index(Index(audit.source.rows, tmp_path))


def test_an_image_that_changed_is_named(audit: Audit) -> None:
    row = dataclasses.replace(audit.source.rows[0], digest="ff" * 32, pixel_digest="00" * 32)
    with pytest.raises(IndexFileError, match="another picture than the one indexed"):
        audit_index(Index((row,), audit.source.folder))


def test_dropping_leaves_out_the_unfit_and_nothing_when_all_are(
    places: Path, tmp_path: Path
) -> None:
    document = audit_file(places / "index.csv", tmp_path / "all", drop=False)
    cleaned = audit_file(places / "index.csv", tmp_path / "clean", drop=True)
    kept = read_index(tmp_path / "clean" / "index.csv")
    assert document["counts"]["dropped"] == 0
    assert cleaned["counts"]["dropped"] == document["counts"]["unfit"] > 0
    assert len(kept.rows) == len(ROWS) - document["counts"]["unfit"]
    assert all(kept.file(row).is_file() for row in kept.rows)
    held = cleaned["certificate"]["indices"]
    assert held["written"]["digest"] == kept.digest()
    assert held["audited"]["digest"] == read_index(places / "index.csv").digest()
    small = [row for row in read_index(tmp_path / "all" / "index.csv").rows if "tiny" in row.flags]
    write_index(small, tmp_path / "all", tmp_path / "small.csv")
    with pytest.raises(IndexFileError, match="every image is unfit"):
        audit_file(tmp_path / "small.csv", tmp_path / "none", drop=True)


def test_the_audit_never_replaces_the_index_it_reads(places: Path) -> None:
    with pytest.raises(OutputError, match="holds the index to audit"):
        audit_file(places / "index.csv", places, overwrite=True)
    assert (places / "index.csv").is_file()
