"""Settings come from TOML and --set, are checked, and come back from TOML as they were."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainlens.core.config import parse_sets, read_toml, resolve, to_toml
from brainlens.core.errors import ConfigError


@dataclass(frozen=True)
class Settings:
    """One field of every kind that a configuration may have."""

    name: str = "lite"
    epochs: int = 10
    rate: float = 0.5
    crop: bool = False
    tune: Literal["all", "head", "last"] = "all"
    hidden: tuple[int, ...] = (64,)
    limit: float | None = None
    sizes: tuple[float, ...] | None = None
    runs: tuple[str, ...] = ()


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.builds(
    Settings,
    name=TEXTS,
    epochs=st.integers(-(2**63), 2**63 - 1),
    rate=st.floats(),
    crop=st.booleans(),
    tune=st.sampled_from(["all", "head", "last"]),
    hidden=st.lists(st.integers(-9, 9), max_size=3).map(tuple),
    limit=st.none() | st.floats(allow_nan=False),
    sizes=st.none() | st.lists(st.floats(allow_nan=False), max_size=3).map(tuple),
    runs=st.lists(TEXTS, max_size=3).map(tuple),
)


def as_shown(config: Settings) -> str:
    """repr: equal for equal values, NaN and the sign of zero included."""
    return repr(config)


@given(VALUES)
@settings(deadline=None, max_examples=40)
def test_what_is_saved_is_read_back_the_same(tmp_path_factory: Any, config: Settings) -> None:
    path = tmp_path_factory.getbasetemp() / "round.toml"
    path.write_text(to_toml(config), "utf-8", newline="")
    assert as_shown(resolve(Settings, read_toml(path))) == as_shown(config)


@given(st.dictionaries(st.sampled_from(["name", "x"]), st.integers() | TEXTS | st.booleans()))
@settings(deadline=None, max_examples=40)
def test_values_written_as_toml_parse_as_they_are(table: dict[str, Any]) -> None:
    sets = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
    assert parse_sets([item.replace("\x7f", "\\u007f") for item in sets]) == table


def test_defaults_stand_where_no_table_speaks() -> None:
    assert resolve(Settings) == resolve(Settings, {}, {}) == Settings()


def test_later_tables_win() -> None:
    got = resolve(Settings, {"epochs": 1, "name": "a"}, {"epochs": 2}, {"crop": True})
    assert (got.epochs, got.name, got.crop, got.rate) == (2, "a", True, 0.5)


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown setting 'epoch': did you mean 'epochs'\?"):
        resolve(Settings, {"epoch": 3})


def test_a_key_like_no_other_names_all_that_are_valid() -> None:
    with pytest.raises(ConfigError, match=r"unknown setting 'zzz': valid: crop, epochs, hidden"):
        resolve(Settings, {"zzz": 3})


def test_an_unknown_choice_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"tune='heads': did you mean 'head'\?"):
        resolve(Settings, {"tune": "heads"})
    with pytest.raises(ConfigError, match="tune=3: valid: all, head, last"):
        resolve(Settings, {"tune": 3})


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("epochs", True, "epochs=True: expected int, got bool"),
        ("epochs", 2.0, "epochs=2.0: expected int, got float"),
        ("epochs", "3", "epochs='3': expected int, got str"),
        ("rate", False, "rate=False: expected float, got bool"),
        ("rate", "high", "rate='high': expected float, got str"),
        ("crop", 1, "crop=1: expected bool, got int"),
        ("name", 2024, "name=2024: expected str, got int"),
        ("name", {"a": 1}, "name={'a': 1}: expected str, got dict"),
        ("hidden", 64, "hidden=64: expected a list"),
        ("hidden", "64", "hidden='64': expected a list"),
        ("hidden", [64, "x"], "hidden='x': expected int, got str"),
        ("hidden", [True], "hidden=True: expected int, got bool"),
        ("limit", "low", "limit='low': expected float, got str"),
        ("sizes", [None], "sizes=None: expected float, got NoneType"),
    ],
)
def test_a_value_of_the_wrong_type_says_what_was_expected(
    key: str, value: Any, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(Settings, {key: value})
    assert str(caught.value).startswith(expected)


def test_one_name_is_a_list_of_one() -> None:
    assert resolve(Settings, {"runs": "plain"}).runs == ("plain",)
    assert resolve(Settings, {"runs": ""}).runs == ()
    assert resolve(Settings, parse_sets(['runs=["a", "b"]'])).runs == ("a", "b")
    with pytest.raises(ConfigError, match="runs=1: expected a list"):
        resolve(Settings, {"runs": 1})


def test_the_other_conversions_are_int_to_float_and_list_to_tuple() -> None:
    got = resolve(Settings, {"rate": 1, "hidden": [8, 4], "sizes": [1, 2.5], "limit": 3})
    assert (got.rate, got.hidden, got.sizes, got.limit) == (1.0, (8, 4), (1.0, 2.5), 3.0)
    assert [type(value) for value in (got.rate, *(got.sizes or ()), got.limit)] == [float] * 4


def test_an_optional_setting_may_be_left_out_or_none() -> None:
    assert resolve(Settings, {"limit": 2.0}, {"limit": None}).limit is None
    assert "limit" not in to_toml(Settings())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.001", 0.001),
        ("1e-3", 0.001),
        ("true", True),
        ("head", "head"),  # no quotes needed
        ('"head"', "head"),
        ("two-phase", "two-phase"),
        ("[64, 32]", [64, 32]),
        ("[]", []),
        ("a=b", "a=b"),
        ("C:\\new", "C:\\new"),
        ("", ""),
        (" head ", "head"),
        ("[64,", "[64,"),
    ],
)
def test_a_set_is_a_toml_value_or_else_a_string(text: str, value: Any) -> None:
    got = parse_sets([f"key={text}"])["key"]
    assert (got, type(got)) == (value, type(value))


def test_spaces_around_a_key_do_not_matter_and_the_last_set_wins() -> None:
    assert parse_sets([" epochs = 3", "epochs=4", "tune = head"]) == {"epochs": 4, "tune": "head"}


@pytest.mark.parametrize("item", ["epochs", "=3", "  =3", ""])
def test_a_set_without_key_and_value_shows_how_it_is_written(item: str) -> None:
    with pytest.raises(ConfigError, match=f"--set {item}: expected key=value, for example"):
        parse_sets([item])


def test_a_missing_file_of_settings_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: no such file; expected a TOML file"):
        read_toml(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "content", [b"epochs = \n", b"epochs: 3", b"\xff\xfe\x00", b"a = 1\na = 2"]
)
def test_broken_toml_is_one_line_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"broken\.toml: is not readable TOML \(.+\)$") as caught:
        read_toml(path)
    assert "\n" not in str(caught.value)


def test_a_folder_of_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not readable TOML"):
        read_toml(tmp_path)


def test_a_file_from_a_windows_editor_reads_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b'\xef\xbb\xbfepochs = 3\r\nname = "a"\r\n')
    assert read_toml(path) == {"epochs": 3, "name": "a"}


def test_values_that_json_lacks_are_saved_as_toml_has_them() -> None:
    text = to_toml(Settings(rate=math.inf, sizes=(-math.inf, math.nan), name="\x7f"))
    assert "rate = inf\n" in text
    assert "sizes = [-inf, nan]\n" in text
    assert '"\\u007f"' in text


def test_each_setting_is_a_line_of_its_own() -> None:
    assert to_toml(Settings(name="é\n", limit=2.0)).splitlines() == [
        'name = "é\\n"',
        "epochs = 10",
        "rate = 0.5",
        "crop = false",
        'tune = "all"',
        "hidden = [64]",
        "limit = 2.0",
        "runs = []",
    ]
