"""Image files are found in folders, in order, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainlens.core.errors import ImageError
from brainlens.core.images import SUFFIXES, find_images, read_grey

# Folders


def test_images_are_found_in_natural_order_without_hidden_files(tmp_path: Path) -> None:
    names = ["b/2.png", "b/10.PNG", "a.tif", "a10/x.jpg", "a2/x.JPEG", "b/01.gif", "b/1.gif"]
    others = [".hidden.png", "b/._1.png", ".git/x.png", "__MACOSX/1.png", "notes.txt", "b/mask.npy"]
    for name in names + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    expected = ["a2/x.JPEG", "a10/x.jpg", "a.tif", "b/01.gif", "b/1.gif", "b/2.png", "b/10.PNG"]
    assert found == expected


def test_every_suffix_is_found_in_any_case(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        (tmp_path / f"low{suffix}").touch()
        (tmp_path / f"HIGH{suffix.upper()}").touch()
    assert len(find_images(tmp_path)) == 2 * len(SUFFIXES)


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "yes").mkdir(parents=True)
    outside.mkdir()
    for folder in (root / "yes", outside):
        (folder / "1.png").touch()
    (root / "loop").symlink_to(root)
    (root / "alias").symlink_to(root / "yes")
    (root / "no").symlink_to(outside)
    (outside / "back").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "gone.png").symlink_to(root / "missing.png")
    assert find_images(root) == [root / "no" / "1.png", root / "yes" / "1.png"]


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        find_images(tmp_path / "missing")
    with pytest.raises(ImageError, match="Not a directory"):
        find_images(Path(__file__))
    assert find_images(tmp_path) == []


def test_all_scans_of_navoneel_are_read(shared: Path) -> None:
    folder = shared / "data" / "mri" / "navoneel"
    if not folder.is_dir():
        pytest.skip(f"needs the scans of navoneel: no folder {folder}")
    paths = find_images(folder)
    assert len(paths) == 253
    for path in paths:
        grey = read_grey(path)
        assert grey.ndim == 2
        assert grey.max() > grey.min()
