"""Where things lie outside the package: what the user names wins over what is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainlens.core import places
from brainlens.core.errors import UserError
from brainlens.core.places import cache_folder, shared_folder, weights_folder

NAMES = ("BRAINLENS_SHARED", "BRAINLENS_WEIGHTS", "BRAINLENS_CACHE", "XDG_CACHE_HOME")


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the environment it was started in."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source checkout of its own; answers the folder it lies in."""
    module = tmp_path / "checkout" / "src" / "brainlens" / "core" / "places.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(places, "__file__", str(module))
    return tmp_path


def test_the_shared_folder_lies_beside_the_checkout(checkout: Path) -> None:
    (checkout / "shared").mkdir()
    assert shared_folder() == checkout / "shared"


def test_without_a_shared_folder_there_are_no_weights_either(checkout: Path) -> None:
    assert shared_folder() is None
    assert weights_folder() is None


def test_weights_lie_in_the_shared_folder_where_there_are_some(checkout: Path) -> None:
    (checkout / "shared").mkdir()
    assert weights_folder() is None
    (checkout / "shared" / "weights").mkdir()
    assert weights_folder() == checkout / "shared" / "weights"


def test_the_environment_wins_over_the_checkout(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("shared/weights", "named/weights", "mine"):
        (checkout / name).mkdir(parents=True)
    monkeypatch.setenv("BRAINLENS_SHARED", str(checkout / "named"))
    assert shared_folder() == checkout / "named"
    assert weights_folder() == checkout / "named" / "weights"
    monkeypatch.setenv("BRAINLENS_WEIGHTS", str(checkout / "mine"))
    assert weights_folder() == checkout / "mine"


def test_an_empty_variable_counts_as_unset(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "shared" / "weights").mkdir(parents=True)
    for name in NAMES:
        monkeypatch.setenv(name, "")
    assert weights_folder() == checkout / "shared" / "weights"
    assert cache_folder() == Path.home() / ".cache" / "brainlens"


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.touch()])
@pytest.mark.parametrize("variable", ["BRAINLENS_WEIGHTS", "BRAINLENS_SHARED"])
def test_a_folder_that_is_named_but_missing_is_an_error(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, make: object, variable: str
) -> None:
    named = checkout / "named"
    assert callable(make)
    make(named)
    monkeypatch.setenv(variable, str(named))
    with pytest.raises(UserError, match=rf"\A{variable}={named}: no such folder\. Unset it"):
        weights_folder()


def test_the_cache_is_named_else_the_users_and_is_not_made_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "brainlens"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "brainlens"
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert not any(tmp_path.iterdir())
