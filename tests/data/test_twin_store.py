"""Pictures that were compared are not compared again, and their twins are not forgotten."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from brainlens.data import twin_store
from brainlens.data.descriptor import Array, Descriptors, describe
from brainlens.data.symmetry import turn
from brainlens.data.twin_store import twins_of
from brainlens.data.twins import Twin, find_twins
from tests.data.test_descriptor import head

HEADS = [head(seed) for seed in range(6)]
FRAMES = [*HEADS, HEADS[1].T, HEADS[2][::-1], turn(HEADS[4], 5), turn(HEADS[1], 6)]


def digest(frame: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(frame).tobytes()).hexdigest()


def told(places: list[int]) -> tuple[list[str], Descriptors]:
    frames = [FRAMES[k] for k in places]
    return [digest(frame) for frame in frames], describe(frames)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path))
    return tmp_path / "twins"


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many pictures are searched, and among how many others (0: among themselves)."""
    sizes: list[tuple[int, int]] = []

    def counted(one: Descriptors, other: Descriptors | None = None) -> list[Twin]:
        sizes.append((len(one), len(other or [])))
        return find_twins(one, other)

    monkeypatch.setattr(twin_store, "find_twins", counted)
    return sizes


def near(one: list[Twin], other: list[Twin]) -> bool:
    """The same pairs, turned the same way, as alike."""
    same = [(t.i, t.j, t.symmetry) for t in one] == [(t.i, t.j, t.symmetry) for t in other]
    return same and [t.r for t in one] == pytest.approx([t.r for t in other], abs=0.005)


@pytest.mark.parametrize("order", [range(10), range(9, -1, -1), [6, 0, 9, 2, 4, 8, 1, 7, 3, 5]])
def test_a_grown_index_compares_only_what_is_new(
    folder: Path, compared: list[tuple[int, int]], order: list[int]
) -> None:
    twins_of(*told(list(order)[:7]))
    assert compared == [(7, 0)]
    compared.clear()
    whole = told(sorted(order))
    found = twins_of(*whole)
    assert compared == [(3, 0), (3, 7)]
    assert near(found, find_twins(whole[1]))
    assert {(t.i, t.j) for t in found} == {(1, 6), (1, 9), (6, 9), (2, 7), (4, 8)}
    assert len(list(folder.iterdir())) == 1  # the grown one stands for both


def test_a_part_of_what_was_compared_is_not_compared_again(
    folder: Path, compared: list[tuple[int, int]]
) -> None:
    twins_of(*told(list(range(10))))
    compared.clear()
    part = told([9, 4, 1, 8])
    assert near(twins_of(*part), find_twins(part[1]))
    assert compared == []


@pytest.mark.parametrize("damage", [b"half", b""])
def test_a_damaged_archive_is_done_without(
    folder: Path, damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    first = twins_of(*told(list(range(10))))
    for path in folder.iterdir():
        path.write_bytes(damage)
    assert twins_of(*told(list(range(10)))) == first
    assert "is damaged; the pictures in it are compared anew" in capsys.readouterr().err


def test_another_method_compares_anew(
    folder: Path, compared: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    twins_of(*told([0, 1, 6]))
    monkeypatch.setattr(twin_store, "method", lambda: "ffffffffffff")
    twins_of(*told([0, 1, 6]))
    assert compared == [(3, 0), (3, 0)]
    assert [path.name[:12] for path in folder.iterdir()] == ["ffffffffffff"]


def test_a_cache_that_cannot_be_written_loses_no_twin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "file"))
    assert [(t.i, t.j) for t in twins_of(*told([0, 1, 6]))] == [(1, 2)]
