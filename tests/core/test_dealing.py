"""Work over processes comes back in order, errors as they were; who dies is done without."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from brainlens.core.dealing import dealt
from brainlens.core.errors import ImageError, TooLargeError


def doubled(numbers: list[int]) -> list[int]:
    return [2 * number for number in numbers]


def dies_elsewhere(number: int) -> int:
    """Like a process that the system kills, but not in the one that pytest runs in."""
    if number == 2 and multiprocessing.parent_process():
        os._exit(9)
    return number


def refused(number: int) -> int:
    if number == 1:
        raise TooLargeError("scan.png", "1 pixel", "none", "Go away")
    return number


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order(processes: int) -> None:
    chunks = [[k, k + 1] for k in range(7)]
    assert list(dealt(doubled, chunks, processes)) == [doubled(chunk) for chunk in chunks]


def test_dead_processes_are_told_and_done_without(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(dealt(dies_elsewhere, range(5), 2)) == [0, 1, 2, 3, 4]
    assert "died; going on in one" in capsys.readouterr().err


def test_an_error_keeps_its_kind_and_words() -> None:
    with pytest.raises(TooLargeError, match=r"^scan\.png: got 1 pixel; expected none\. Go away$"):
        list(dealt(refused, range(3), 2))


def test_an_error_can_be_of_another_file_too() -> None:
    one = ImageError("a.png", "nothing", "something", "Look again").of("b.png")
    assert str(one) == "b.png: got nothing; expected something. Look again"
