"""The public sets index as their authors and our measurements describe them."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from brainlens.data.index import Row
from brainlens.data.indexing import index_folders
from brainlens.data.labels import NAMED_MAPS


def test_all_of_navoneel_is_indexed(shared: Path) -> None:
    indexed = index_folders([shared / "data" / "mri" / "navoneel"], label_map={})
    assert Counter(row.label for row in indexed.rows) == {"tumour": 155, "none": 98}
    assert {(Path(row.path).parent.name, row.label) for row in indexed.rows} == {
        ("yes", "tumour"), ("no", "none"),
    }  # fmt: skip
    assert (indexed.unreadable, indexed.unlabelled, indexed.left_out) == ((), (), {})


def components(rows: list[Row], facts: list[dict[str, str]]) -> int:
    """How many groups there are, by SciPy: a node for each row, and one for each key."""
    keys = [
        {f"bytes {row.digest}", f"pixels {row.pixel_digest}", f"twin {fact['near_dup_group']}"}
        | ({f"patient {fact['slice_run']}"} if fact["slice_run"] != "0" else set())
        for row, fact in zip(rows, facts, strict=True)
    ]
    nodes = {key: n for n, key in enumerate(sorted(set().union(*keys)), start=len(rows))}
    pairs = [(i, nodes[key]) for i, own in enumerate(keys) for key in own]
    ones, size = [1] * len(pairs), len(rows) + len(nodes)
    graph = coo_matrix((ones, tuple(zip(*pairs, strict=True))), shape=(size, size))
    return int(connected_components(graph, directed=False)[0])


@pytest.mark.slow
def test_the_public_sets_and_their_manifest_give_four_classes(shared: Path) -> None:
    mri = shared / "data" / "mri"
    with (mri / "manifest.csv").open(encoding="utf-8-sig", newline="") as stream:
        listed = {(mri / fact["file"]).resolve(): fact for fact in csv.DictReader(stream)}
    indexed = index_folders([mri], label_map=NAMED_MAPS["types"], manifest=mri / "manifest.csv")
    rows = list(indexed.rows)
    facts = [listed[Path(row.path)] for row in rows]
    assert (len(rows), indexed.left_out, indexed.unreadable) == (3563, {"yes": 366}, ())

    names = {"notumor": "none", "no": "none"}
    sides = {"training": "train", "testing": "test", "": ""}
    for row, fact in zip(rows, facts, strict=True):
        assert row.label == names.get(fact["label"], fact["label"])
        assert row.official == sides[fact["orig_split"]]
        assert row.fold == fact["patient_fold"].replace("0", "")
        assert bool(row.patient) == (fact["slice_run"] != "0")
        doubted = fact["figshare_label"] not in ("", row.label)
        notes = [f"second-label={fact['figshare_label']}"] * doubted
        notes += [f"plane={fact['plane_approx']}"] * bool(fact["plane_approx"])
        assert row.flags == ";".join(notes)
    assert len({row.group for row in rows}) == components(rows, facts)
