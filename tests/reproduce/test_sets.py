"""Which folder is which published set, and what stands in for a missing one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.core.errors import IndexFileError
from brainlens.reproduce.sets import find_sets, read_pool, take


def fill(folder: Path, *classes: str, images: int = 2, seed: int = 0) -> Path:
    """A set of class folders with noise."""
    generator = np.random.default_rng(seed)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(images):
            picture = generator.integers(0, 255, (40, 40)).astype(np.uint8)
            Image.fromarray(picture).save(folder / name / f"{i}.png")
    return folder


def test_a_folder_of_sets_is_taken_apart_and_known_names_are_known(tmp_path: Path) -> None:
    fill(tmp_path / "sartaj" / "Training", "glioma_tumor", "no_tumor")
    fill(tmp_path / "br35h_unique", "yes", "no")
    fill(tmp_path / "brain_tumor_dataset", "yes", "no")
    fill(tmp_path / "Our Clinic", "glioma", "healthy")
    (tmp_path / "notes").mkdir()
    found = find_sets([str(tmp_path)])
    assert {name: folder.name for name, folder in found.items()} == {
        "sartaj": "sartaj", "br35h": "br35h_unique", "navoneel": "brain_tumor_dataset",
        "Our Clinic": "Our Clinic",
    }  # fmt: skip


def test_a_set_can_be_given_its_name(tmp_path: Path) -> None:
    folder = fill(tmp_path / "download(3)", "yes", "no")
    assert find_sets([f"navoneel={folder}"]) == {"navoneel": folder}
    assert find_sets([str(folder)]) == {"download(3)": folder}


def test_classes_of_one_s_own_make_a_set(tmp_path: Path) -> None:
    assert list(find_sets([str(fill(tmp_path / "mine", "typeA", "typeB"))])) == ["mine"]


def test_what_is_no_set_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(IndexFileError, match="no class folders"):
        find_sets([str(tmp_path / "empty")])
    with pytest.raises(IndexFileError, match="no such folder"):
        find_sets([str(tmp_path / "nowhere")])
    with pytest.raises(IndexFileError, match="no class folders"):
        find_sets([f"navoneel={tmp_path / 'nowhere'}"])
    folder = fill(tmp_path / "a" / "sartaj", "yes", "no")
    with pytest.raises(IndexFileError, match="second folder called sartaj"):
        find_sets([str(folder), f"sartaj={folder}"])


def test_a_lone_folder_stands_in_and_it_is_said() -> None:
    chosen, notes = take({"mine": Path("m")}, ["sartaj"])
    assert chosen == {"sartaj": Path("m")}
    assert notes == ["mine stands in for sartaj"]


def test_among_several_folders_none_is_guessed() -> None:
    with pytest.raises(IndexFileError, match="sartaj=FOLDER"):
        take({"one": Path("1"), "two": Path("2")}, ["sartaj"])
    with pytest.raises(IndexFileError, match="navoneel=FOLDER"):
        take({"mine": Path("m")}, ["navoneel", "*"])


def test_a_star_takes_every_other_set_and_needs_one() -> None:
    given = {"navoneel": Path("n"), "br35h": Path("b"), "sartaj": Path("s")}
    assert take(given, ["navoneel", "*"]) == (given, [])
    assert list(take(given, ["navoneel"])[0]) == ["navoneel"]
    with pytest.raises(IndexFileError, match="one more folder"):
        take({"navoneel": Path("n")}, ["navoneel", "*"])


def test_groups_are_joined_across_sets_and_quick_takes_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "cache"))
    one = fill(tmp_path / "one", "yes", "no", images=5)
    two = fill(tmp_path / "two", "yes", "no", images=5, seed=1)
    (two / "yes" / "0.png").write_bytes((one / "yes" / "0.png").read_bytes())
    sets = {"one": one, "two": two}
    (tmp_path / "out").mkdir()
    pool = read_pool(sets, "binary", tmp_path / "out")
    assert [len(pool.of("one")), len(pool.without("one")), len(pool.of())] == [10, 10, 20]
    shared = {row.group for row in pool.of("one")} & {row.group for row in pool.of("two")}
    assert len(shared) == 1
    assert all(Path(row.path).is_file() for row in pool.rows)
    assert {row.label for row in pool.rows} == {"tumour", "none"}
    (tmp_path / "few").mkdir()
    few = read_pool(sets, "binary", tmp_path / "few", most=3)
    assert len(few.of("one")) == len(few.of("two")) == 6
