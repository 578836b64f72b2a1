"""Owns configuration: TOML and `--set key=value` in, a frozen dataclass out, and back to TOML.

The dataclass lives beside the code that reads it. Its keys are flat, so that any of them can be
set on the command line or be a factor of a study. A choice is a `Literal`; unknown keys and
choices fail and name the nearest valid one.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from brainlens.core.errors import ConfigError, nearest

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """The flat table of a TOML file."""
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; expected a TOML file of settings") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path}: is not readable TOML ({error})") from None


def parse_sets(sets: Sequence[str]) -> dict[str, Any]:
    """`["epochs=3", "hidden=[64, 32]"]` to a table; what is no TOML value is a string."""
    table: dict[str, Any] = {}
    for item in sets:
        key, equals, text = (part.strip() for part in item.partition("="))
        if not equals or not key:
            raise ConfigError(f"--set {item}: expected key=value, for example --set epochs=5")
        try:
            table[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            table[key] = text
    return table


def resolve(kind: type[T], *tables: Mapping[str, Any]) -> T:
    """The dataclass `kind` from its defaults and the tables, later ones winning.

    Raises ConfigError for an unknown key or choice (with the nearest valid one) or a wrong type.
    """
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            if key not in hints:
                raise ConfigError(f"unknown setting {key!r}: {nearest(key, hints)}")
            values[key] = coerce(key, value, hints[key])
    return kind(**values)


def coerce(key: str, value: Any, hint: Any) -> Any:
    """`value` as the type `hint`; int to float, list to tuple and one name to a list of one."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        if value not in arguments:
            raise ConfigError(f"{key}={value!r}: {nearest(str(value), map(str, arguments))}")
        return value
    if origin in (types.UnionType, typing.Union):
        plain = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else coerce(key, value, plain)
    if origin is tuple:
        if arguments[0] is str and isinstance(value, str):
            return (value,) if value else ()
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{key}={value!r}: expected a list, for example [128, 64]")
        return tuple(coerce(key, item, arguments[0]) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        got = type(value).__name__
        raise ConfigError(f"{key}={value!r}: expected {hint.__name__}, got {got}")
    return value


def to_toml(config: Any) -> str:
    """The resolved values of a config dataclass, one `key = value` a line."""
    lines = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value is not None:
            lines.append(f"{field.name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """One value; JSON's notation, but for what TOML has its own."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float):
        return repr(value)  # inf and nan, where JSON has Infinity and NaN
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
