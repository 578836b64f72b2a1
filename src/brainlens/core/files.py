"""Owns writing: nothing is half-written, whatever happens in the middle.

Enters: a path and its content (or a function that writes it). Leaves: the whole file, or nothing
and one clear error. Written to a temporary name beside the target, then renamed.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brainlens.core.errors import OutputError

MARK = ".brainlens"  # names the kind of result a folder of ours holds
_FULL = {errno.ENOSPC, errno.EDQUOT}
_ELSEWHERE = "Choose another place with -o"


def output_error(path: Path, error: OSError, advice: str = _ELSEWHERE) -> OutputError:
    """Say in one line why `path` could not be written, and what to do."""
    if error.errno in _FULL:
        return OutputError(f"{path}: the disk is full. Free some space and run the command again")
    reason = error.strerror or str(error)
    return OutputError(f"{path}: cannot be written ({reason}). {advice}")


@contextmanager
def replacing(path: Path, *, advice: str = _ELSEWHERE) -> Iterator[Path]:
    """Give a temporary name beside `path`; on success it becomes `path`, else it is removed.

    `advice` says how to write elsewhere. An OSError inside counts as one of writing.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
    except OSError as error:
        raise output_error(path, error, advice) from None
    temporary = Path(name)
    try:
        yield temporary
        _like_a_new_file(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise output_error(path, error, advice) from None
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


def fresh_folder(path: Path, *, overwrite: bool, kind: str) -> Path:
    """Make `path` ready for a new result of this kind; refuse one in use unless `overwrite`.

    A folder that holds our mark alone, left by a command that failed, is free. Else only one that
    carries our mark for the same kind is emptied: whatever else it may hold, a folder of the user's
    own never does.
    """
    claim_folder(path, overwrite=overwrite, kind=kind)
    try:
        _empty(path, last=path / MARK)
        (path / MARK).write_text(kind + "\n", "utf-8")
    except OSError as error:
        raise output_error(path, error) from None
    return path


def claim_folder(path: Path, *, overwrite: bool, kind: str) -> None:
    """Refuse what `fresh_folder` would, before long work; an earlier result stays as it is."""
    mark = path / MARK
    try:
        if path.exists() and not path.is_dir():
            raise OutputError(f"{path}: is a file; expected a folder. {_ELSEWHERE}")
        if path.is_dir() and any(child != mark for child in path.iterdir()):
            if not overwrite:
                raise OutputError(
                    f"{path}: already holds files. Give --overwrite to replace it, or another -o"
                )
            if not mark.is_file() or mark.read_text("utf-8").strip() != kind:
                raise OutputError(
                    f"{path}: is no {kind} of brainlens, so --overwrite leaves its files alone. "
                    f"{_ELSEWHERE}"
                )
        path.mkdir(parents=True, exist_ok=True)
        mark.write_text(kind + "\n", "utf-8")
    except OSError as error:
        raise output_error(path, error) from None


def _empty(folder: Path, *, last: Path) -> None:
    """Remove what is in a folder, not the folder: it may be a link, a mount or the current one.

    The mark goes last, so that an interrupted run still knows the folder as ours.
    """
    for child in sorted(folder.iterdir(), key=lambda child: child == last):
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()


def refuse_used(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file unless asked to."""
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; expected a file name such as {path}/x.csv")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists. Give --overwrite to replace it, or another -o")
