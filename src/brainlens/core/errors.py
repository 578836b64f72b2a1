"""Owns every error a user may meet: one line that says what, got, expected, next step.

BrainlensError          a fault of ours                            exit code 1
└── UserError           the user's input is wrong                  exit code 2
    ├── ConfigError     an unknown key, a value of the wrong type
    ├── ImageError      a file that is no readable image
    │   └── TooLargeError   an image that takes more room than is given
    ├── IndexFileError  an index.csv that cannot be used as it is
    ├── SplitError      a split that cannot be made from these rows
    ├── LeakError       test images that the model may have seen
    ├── RunError        a run folder that is missing, used or of another kind
    ├── WeightsError    pretrained weights that cannot be reached
    └── OutputError     a place that cannot be written (used, full, read-only)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class BrainlensError(Exception):
    """The root; raised itself only for faults of brainlens."""

    exit_code = 1


class UserError(BrainlensError):
    """The user's input is wrong; the message is one line."""

    exit_code = 2


class ConfigError(UserError):
    """An unknown key or choice, or a value of the wrong type."""


class ImageError(UserError):
    """A file that is no readable image; the message begins with its path."""

    def __init__(self, path: Path | str, got: str, expected: str, next_step: str = "") -> None:
        super().__init__(f"{path}: got {got}; expected {expected}. {next_step}".strip())
        self.path = Path(path)
        self.got = got
        self._said = got, expected, next_step

    def __reduce__(self) -> tuple[type[ImageError], tuple[Path | str, str, str, str]]:
        return type(self), (self.path, *self._said)  # so that it survives the way from a process

    def of(self, path: Path | str) -> ImageError:
        """The same error of another file with the same bytes."""
        return type(self)(path, *self._said)


class TooLargeError(ImageError):
    """An image that would take more room than is given to one."""


class IndexFileError(UserError):
    """An index.csv that is missing, malformed, or whose images have moved."""


class SplitError(UserError):
    """A split that cannot be made from these rows."""


class LeakError(UserError):
    """Images to be evaluated that the model may have seen in training."""


class RunError(UserError):
    """A run folder that is missing, already used, or of another kind."""


class WeightsError(UserError):
    """Pretrained weights that cannot be reached or do not fit."""


class OutputError(UserError):
    """A place that cannot be written: already used, full, or read-only."""


def nearest(got: str, valid: Iterable[str]) -> str:
    """A hint for a mistyped name: the nearest valid one, else the whole list."""
    names = sorted(valid)
    close = difflib.get_close_matches(got, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"valid: {', '.join(names)}"
