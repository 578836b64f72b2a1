"""Whatever shares a copy, a twin or a patient is one group, however long the chain."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from brainlens.data.grouping import Components, name_groups

Table = list[tuple[str, str, str]]
KEYS = st.sampled_from(["", "", "1", "2", "3", "4"])
TABLES: st.SearchStrategy[Table] = st.lists(
    st.tuples(st.sampled_from("abcdefghijklmnop"), KEYS, KEYS), min_size=1, max_size=16
)


def grouped(table: Table) -> list[str]:
    """The names for a table of pixel digests and two columns of keys."""
    digests, patients, twins = map(list, zip(*table, strict=True))
    return name_groups(digests, [patients, twins])


def merged(table: Table) -> set[frozenset[int]]:
    """The groups as sets of items, by merging sets until none overlap."""
    sets = [
        {i for i, other in enumerate(table) if other[column] == row[column]}
        for row in table
        for column in range(3)
        if row[column]
    ]
    merging = True
    while merging:
        merging = False
        for one in sets:
            for other in sets:
                if one is not other and one & other:
                    one |= other
                    sets.remove(other)
                    merging = True
                    break
            if merging:
                break
    return {frozenset(one) for one in sets}


def partition(names: Sequence[object]) -> set[frozenset[int]]:
    """Items of one name together."""
    return {frozenset(i for i, n in enumerate(names) if n == name) for name in names}


@given(TABLES)
@settings(deadline=None, max_examples=60)
def test_groups_are_what_repeated_merging_gives(table: Table) -> None:
    assert partition(grouped(table)) == merged(table)


@given(TABLES.flatmap(lambda table: st.tuples(st.just(table), st.permutations(range(len(table))))))
@settings(deadline=None, max_examples=60)
def test_names_do_not_depend_on_the_order_of_rows(case: tuple[Table, list[int]]) -> None:
    table, order = case
    names = grouped(table)
    assert grouped([table[i] for i in order]) == [names[i] for i in order]


@given(TABLES, TABLES)
@settings(deadline=None, max_examples=50)
def test_groups_of_one_name_share_a_picture(one: Table, other: Table) -> None:
    first, second = grouped(one), grouped(other)
    for name in set(first) & set(second):
        pictures = {row[0] for row, n in zip(one, first, strict=True) if n == name}
        assert pictures & {row[0] for row, n in zip(other, second, strict=True) if n == name}


def test_a_chain_of_copy_patient_and_twin_is_one_group() -> None:
    names = name_groups(
        ["p1", "p1", "p2", "p3", "p4"],
        [["", "A", "A", "", ""], ["", "", "t", "t", ""]],
    )
    assert names == ["g-p1", "g-p1", "g-p1", "g-p1", "g-p4"]


def test_keys_of_different_columns_do_not_meet() -> None:
    assert len(set(name_groups(["p1", "p2"], [["7", ""], ["", "7"]]))) == 2


def test_a_name_is_the_start_of_the_smallest_digest() -> None:
    digests = ["f" * 64, "0" * 63 + "a", "5" * 64]
    assert name_groups(digests, [["x", "x", ""]]) == [f"g-{'0' * 16}"] * 2 + [f"g-{'5' * 16}"]


def test_nothing_has_no_groups() -> None:
    assert name_groups([], [[], []]) == []


def test_a_chain_of_many_is_no_deep_recursion() -> None:
    n = 50_000
    components = Components(n)
    for i in range(n - 1):
        components.join(i, i + 1)
    assert {components.find(i) for i in range(n)} == {components.find(0)}
