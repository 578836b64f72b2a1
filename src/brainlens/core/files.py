"""Owns writing: nothing is half-written, whatever happens in the middle.

Enters: a path and its content (or a function that writes it). Leaves: the whole file, or nothing
and one clear error. Written to a temporary name beside the target, then renamed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brainlens.core.errors import OutputError

_FULL = {errno.ENOSPC, errno.EDQUOT}


def output_error(path: Path, error: OSError) -> OutputError:
    """Say in one line why `path` could not be written, and what to do."""
    if error.errno in _FULL:
        return OutputError(f"{path}: the disk is full. Free some space and run the command again")
    reason = error.strerror or str(error)
    return OutputError(f"{path}: cannot be written ({reason}). Choose another place with -o")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; on success it becomes `path`, else it is removed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
    except OSError as error:
        raise output_error(path, error) from None
    temporary = Path(name)
    try:
        yield temporary
        _like_a_new_file(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise output_error(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def _like_a_new_file(path: Path) -> None:
    """Give the permissions an ordinary open() would: mkstemp's are the owner's alone."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(0o666 & ~umask)


def write_atomic(path: Path, content: str | bytes) -> Path:
    """Write the whole of `content` to `path`, or nothing; UTF-8, newlines as given."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return path


def write_json(path: Path, value: Any) -> Path:
    """Write `value` as indented JSON; NaN is refused, since JSON has none."""
    return write_atomic(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def fresh_folder(path: Path, *, overwrite: bool, marks: tuple[str, ...]) -> Path:
    """Make `path` ready for a new result; refuse one in use unless `overwrite`.

    Only a folder that holds one of the files `marks`, and so is a result of ours, is emptied.
    """
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path}: is a file; expected a folder. Choose another place with -o")
    if path.is_dir() and any(path.iterdir()):
        if not overwrite:
            raise OutputError(
                f"{path}: already holds files. Give --overwrite to replace it, or another -o"
            )
        if not any((path / mark).exists() for mark in marks):
            raise OutputError(
                f"{path}: holds files that brainlens did not write, so --overwrite leaves them. "
                "Choose another place with -o"
            )
        shutil.rmtree(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from None
    return path


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
