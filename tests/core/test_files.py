"""What is written is whole or not there, and a result never replaces what is not ours."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from brainlens.core.errors import OutputError
from brainlens.core.files import MARK, fresh_folder, replacing, write_atomic, write_json


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system of memory on `folder`; the test is skipped where none can be mounted."""
    folder.mkdir(exist_ok=True)
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True
        )
        if done.returncode:
            pytest.skip(f"needs to mount a small disk: {done.stderr.decode().splitlines()[0]}")
    except OSError as error:
        pytest.skip(f"needs to mount a small disk: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 64 kB."""
    with mounted(tmp_path / "disk", "size=64k") as folder:
        yield folder


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing below `folder` can be changed, not even by root."""
    if os.geteuid():
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(0o755)
        return
    bind = subprocess.run(["mount", "--bind", folder, folder], capture_output=True)
    if bind.returncode:
        pytest.skip(f"needs a read-only disk: {bind.stderr.decode().splitlines()[0]}")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def names(folder: Path) -> list[str]:
    """Everything that lies in a folder, hidden files too."""
    return sorted(os.listdir(folder))


def refuses(path: Path, message: str) -> Any:
    """An OutputError of one line that begins with the path."""
    return pytest.raises(OutputError, match=rf"\A{path}: {message}[^\n]*\Z")


def test_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folders" / "é.txt"
    assert write_atomic(path, "a\r\nß\n") == path
    assert path.read_bytes() == b"a\r\n\xc3\x9f\n"
    write_atomic(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert names(path.parent) == ["é.txt"]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_a_writer_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, error: BaseException
) -> None:
    path = write_atomic(tmp_path / "table.csv", "old")

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half a ta")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["table.csv"]


def test_the_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    with replacing(path) as temporary:
        assert temporary.parent == tmp_path  # else the rename could not be one step
        temporary.write_bytes(b"half")
        assert not path.exists()
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert names(tmp_path) == ["weights.bin"]


def test_a_full_disk_is_one_line_and_the_old_file_stays(small_disk: Path) -> None:
    path = write_atomic(small_disk / "metrics.json", "{}")
    with refuses(path, "the disk is full. Free some space"):
        write_atomic(path, b"x" * 200_000)
    assert path.read_text() == "{}"
    assert names(small_disk) == ["metrics.json"]


def test_a_disk_without_room_for_one_more_file_is_full_too(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=64k,nr_inodes=2") as disk:
        (disk / "one").touch()
        with refuses(disk / "two", "the disk is full"):
            write_atomic(disk / "two", "")
        assert names(disk) == ["one"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_or_quota_is_told_apart_from_other_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "write_bytes", full)
    with refuses(tmp_path / "a.txt", "the disk is full"):
        write_atomic(tmp_path / "a.txt", "a")
    assert names(tmp_path) == []


def test_a_read_only_folder_says_so_and_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "fixed"
    folder.mkdir()
    with read_only(folder), refuses(folder / "a.txt", r"cannot be written \(.+\). Choose another"):
        write_atomic(folder / "a.txt", "a")
    assert names(folder) == []


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.csv").mkdir()
    with refuses(tmp_path / "index.csv", r"cannot be written \(Is a directory\)"):
        write_atomic(tmp_path / "index.csv", "a")
    assert names(tmp_path) == ["index.csv"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with refuses(tmp_path / "out" / "a.txt", "cannot be written"):
        write_atomic(tmp_path / "out" / "a.txt", "a")
    with refuses(tmp_path / "out", "is a file; expected a folder"):
        fresh_folder(tmp_path / "out", overwrite=True, kind="run")
    with refuses(tmp_path / "out" / "run", "cannot be written"):
        fresh_folder(tmp_path / "out" / "run", overwrite=True, kind="run")


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        path = write_atomic(tmp_path / "a.txt", "a")
        assert os.umask(umask) == umask  # and the umask itself stays
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_json_is_read_back_the_same(tmp_path: Path) -> None:
    value = {"é": [1, 2.5, None, True], "b": {"c": "\n"}}
    path = write_json(tmp_path / "a.json", value)
    assert json.loads(path.read_text("utf-8")) == value
    assert path.read_text().endswith("}\n")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_without_a_number_is_refused_before_anything_is_written(
    tmp_path: Path, number: float
) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"auroc": number})
    assert names(tmp_path) == []


def test_a_new_or_empty_folder_is_ready_at_once(tmp_path: Path) -> None:
    for folder in (tmp_path / "a" / "b", tmp_path / "a" / "b"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).unlink(missing_ok=True)
        assert fresh_folder(folder, overwrite=False, kind="run") == folder
        assert names(folder) == [MARK]


def used(folder: Path, *files: str) -> Path:
    """A run of ours with files and a folder in it."""
    (folder / "deep").mkdir(parents=True)
    (folder / MARK).write_text("run\n")
    for name in (*files, "deep/notes.txt"):
        (folder / name).write_text(name)
    return folder


def test_a_used_folder_is_refused_without_overwrite(tmp_path: Path) -> None:
    folder = used(tmp_path / "run", "config.toml")
    with refuses(folder, "already holds files. Give --overwrite"):
        fresh_folder(folder, overwrite=False, kind="run")
    assert names(folder) == [MARK, "config.toml", "deep"]


def test_overwrite_empties_a_result_of_ours(tmp_path: Path) -> None:
    folder = used(tmp_path / "run", "metrics.json", ".hidden")
    fresh_folder(folder, overwrite=True, kind="run")
    assert names(folder) == [MARK]


def test_overwrite_leaves_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    folder = used(tmp_path / "thesis", "index.csv", "config.toml")
    (folder / MARK).unlink()
    with refuses(folder, "is no run of brainlens"):
        fresh_folder(folder, overwrite=True, kind="run")
    assert names(folder) == ["config.toml", "deep", "index.csv"]


def test_overwrite_leaves_a_result_of_another_kind(tmp_path: Path) -> None:
    folder = used(tmp_path / "run", "config.toml")
    with refuses(folder, "is no evaluation of brainlens"):
        fresh_folder(folder, overwrite=True, kind="evaluation")
    assert names(folder) == [MARK, "config.toml", "deep"]


def test_overwrite_empties_a_linked_folder_and_keeps_what_links_point_to(tmp_path: Path) -> None:
    folder = used(tmp_path / "run", "config.toml")
    elsewhere = used(tmp_path / "scans", "scan.png")
    (folder / "scans").symlink_to(elsewhere)
    (tmp_path / "latest").symlink_to(folder)
    fresh_folder(tmp_path / "latest", overwrite=True, kind="run")
    assert (tmp_path / "latest").is_symlink()
    assert names(folder) == [MARK]
    assert names(elsewhere) == [MARK, "deep", "scan.png"]


def test_overwrite_empties_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(used(tmp_path / "run", "config.toml"))
    fresh_folder(Path("."), overwrite=True, kind="run")
    assert names(tmp_path / "run") == [MARK]


def test_a_result_that_cannot_be_removed_is_one_line(tmp_path: Path) -> None:
    folder = used(tmp_path / "run", "config.toml")
    with read_only(folder), refuses(folder, "cannot be written"):
        fresh_folder(folder, overwrite=True, kind="run")
    assert names(folder) == [MARK, "config.toml", "deep"]


def test_overwrite_that_was_interrupted_can_be_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = used(tmp_path / "run", "config.toml", "a.txt", "z.txt")

    def stop(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            fresh_folder(folder, overwrite=True, kind="run")
    fresh_folder(folder, overwrite=True, kind="run")
    assert names(folder) == [MARK]
