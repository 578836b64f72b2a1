"""An image is decoded once, whatever is asked of it, and not again by the next audit."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from brainlens.core.errors import ImageError, IndexFileError
from brainlens.core.images import read_grey
from brainlens.data import look_store, looking, looks
from brainlens.data.audit import audit_index
from brainlens.data.descriptor import Array, describe, frame_of
from brainlens.data.index import Index
from brainlens.data.indexing import index_folders
from brainlens.data.looking import identify, look_at
from brainlens.data.looks import Identity
from brainlens.data.quality import measure
from brainlens.data.sample import copy_to
from brainlens.data.shortcut import facts, facts_of_row


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("BRAINLENS_CACHE", str(folder))
    return folder / "looks"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """30 images of the sample, and one of them again."""
    folder = tmp_path_factory.mktemp("sample")
    copy_to(folder)
    first = sorted((folder / "glioma").iterdir())[0]
    (folder / "glioma" / "zz-again.jpg").write_bytes(first.read_bytes())
    rows = index_folders([folder], label_map={}).rows
    again = [row for row in rows if row.path.endswith("zz-again.jpg")]
    return Index((*rows[:30], *again), Path("/"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded, as they are."""
    names: list[str] = []
    real = looks._read

    def counted(path: str) -> tuple[Identity, Array, float]:
        names.append(path)
        return real(path)

    monkeypatch.setattr(looks, "_read", counted)
    return names


def test_a_look_says_what_the_measures_say_of_the_picture(sample: Index, cache: Path) -> None:
    seen, place = look_at(sample)
    frames = []
    for row, measures, told in zip(
        sample.rows, seen.measures(place), seen.facts(place), strict=True
    ):
        grey = read_grey(sample.file(row))
        expected = measure(grey, width=row.width, height=row.height)
        assert measures == pytest.approx(expected, nan_ok=True)
        assert facts_of_row(row) | told == pytest.approx(facts(row, grey))
        frames.append(frame_of(grey))
    alone = describe(frames)
    assert np.array_equal(seen.descriptors.take(place).frames, alone.frames)  # type: ignore[arg-type]
    assert np.allclose(seen.descriptors.take(place).codes, alone.codes, atol=1e-5)


def test_every_distinct_file_is_decoded_once_and_never_again(
    sample: Index, cache: Path, decoded: list[str]
) -> None:
    first = audit_index(sample)
    distinct = {row.digest for row in sample.rows}
    assert len(distinct) < len(sample.rows)
    assert len(decoded) == len(distinct)
    decoded.clear()
    again = audit_index(sample, against=sample)
    assert decoded == []
    assert again.rows == first.rows
    assert again.pairs == first.pairs
    assert again.shortcut == first.shortcut


def test_only_new_images_are_decoded(sample: Index, cache: Path, decoded: list[str]) -> None:
    look_at(Index(sample.rows[:20], sample.folder))
    decoded.clear()
    seen, place = look_at(Index(sample.rows[:25][::-1], sample.folder))
    assert decoded == [str(sample.file(row)) for row in sample.rows[24:19:-1]]
    expected = [measure(read_grey(sample.file(row))) for row in sample.rows[:25][::-1]]
    for got, wanted in zip(seen.measures(place), expected, strict=True):
        assert got["blurred"] == pytest.approx(wanted["blurred"])


def test_a_stale_cache_is_made_again_and_said_so(
    sample: Index, cache: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    few = Index(sample.rows[:5], sample.folder)
    look_at(few)
    (old,) = cache.iterdir()
    assert "another version" not in capsys.readouterr().err
    monkeypatch.setattr(look_store, "method", lambda: "ffffffffffff")
    decoded.clear()
    look_at(few)
    assert len(decoded) == 5
    assert "another version of the audit; the images are looked at anew" in capsys.readouterr().err
    (new,) = cache.iterdir()
    assert new.name != old.name
    assert new.name.startswith("ffffffffffff")


def test_the_method_changes_with_the_code_that_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    before = look_store.method()
    look_store.method.cache_clear()
    assert look_store.method() == before
    monkeypatch.setattr(look_store, "_MADE_BY", look_store._MADE_BY[1:])
    look_store.method.cache_clear()
    assert look_store.method() != before
    look_store.method.cache_clear()


def test_a_cache_that_cannot_be_written_is_told_and_done_without(
    sample: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("BRAINLENS_CACHE", str(tmp_path / "file"))
    seen, place = look_at(Index(sample.rows[:3], sample.folder))
    assert (len(seen), place) == (3, [0, 1, 2])
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert "Going on without a cache" in said
    assert "BRAINLENS_CACHE" in said


@pytest.mark.parametrize("damage", [b"half", b""])
def test_a_damaged_cache_is_made_again(
    sample: Index, cache: Path, decoded: list[str], damage: bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    few = Index(sample.rows[:4], sample.folder)
    whole, _ = look_at(few)
    for path in cache.iterdir():
        path.write_bytes(damage)
    again, _ = look_at(few)
    assert np.array_equal(whole.measured, again.measured, equal_nan=True)
    assert "is damaged" in capsys.readouterr().err
    decoded.clear()
    look_at(few)
    assert decoded == []


def test_processes_see_what_one_process_sees(
    sample: Index, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Index(sample.rows[:12], sample.folder)
    alone, _ = look_at(few)
    for path in cache.iterdir():
        path.unlink()
    monkeypatch.setattr(looking, "PARALLEL", 1)
    monkeypatch.setattr(looking, "CHUNK", 5)
    monkeypatch.setattr(looking, "cores", lambda: 2)
    together, _ = look_at(few)
    assert np.array_equal(alone.measured, together.measured, equal_nan=True)
    assert np.array_equal(alone.descriptors.codes, together.descriptors.codes)


def test_an_error_in_a_process_names_the_file(
    sample: Index, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    row = dataclasses.replace(sample.rows[0], path=str(bad), digest="00" * 32)
    monkeypatch.setattr(looking, "PARALLEL", 1)
    monkeypatch.setattr(looking, "CHUNK", 1)
    monkeypatch.setattr(looking, "cores", lambda: 2)
    with pytest.raises(ImageError, match=r"bad\.png"):
        look_at(Index((sample.rows[1], row), Path("/")))


def test_a_file_with_other_bytes_and_the_same_picture_is_still_the_one(
    tmp_path: Path, cache: Path
) -> None:
    path = tmp_path / "none" / "a.png"
    path.parent.mkdir()
    picture = Image.fromarray(np.arange(160 * 160, dtype=np.uint8).reshape(160, 160))
    picture.save(path)
    (row,) = index_folders([tmp_path], label_map={}).rows
    picture.save(path, compress_level=1)  # other bytes
    for _ in range(2):  # from the file, then from the cache
        assert len(look_at(Index((row,), Path("/")))[0]) == 1
    Image.fromarray(np.zeros((160, 160), np.uint8)).save(path)
    with pytest.raises(IndexFileError, match=r"a\.png: is another picture than the one indexed"):
        look_at(Index((row,), Path("/")))


def draw(folder: Path, *shapes: tuple[int, int], label: str = "none") -> list[Path]:
    """PNG files of noise of these heights and widths."""
    paths = []
    for number, shape in enumerate(shapes):
        path = folder / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, shape, np.uint8)
        Image.fromarray(noise).save(path)
        paths.append(path)
    return paths


def test_what_was_indexed_is_not_decoded_by_the_audit_nor_by_another_index(
    tmp_path: Path, cache: Path, decoded: list[str]
) -> None:
    paths = draw(tmp_path / "scans", (160, 170), (170, 160), (180, 160))
    copy = paths[0].with_name("copy.png")
    copy.write_bytes(paths[0].read_bytes())
    first = index_folders([tmp_path / "scans"], label_map={})
    assert decoded == [str(path) for path in paths]  # a copy is not read twice
    again = index_folders([tmp_path / "scans"], label_map={})
    audit_index(Index(first.rows, Path("/")))
    assert len(decoded) == len(paths)
    assert again == first


def test_many_files_are_kept_part_by_part(
    tmp_path: Path, cache: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "CHUNK", 2)
    monkeypatch.setattr(looking, "KEEP", 3)
    paths = draw(tmp_path / "scans", *[(150, 150)] * 9)
    told = identify(paths)
    assert sorted(len(np.load(path)["digests"]) for path in cache.iterdir()) == [1, 4, 4]
    decoded.clear()
    assert identify(paths[::-1]) == told[::-1]
    assert decoded == []


def test_processes_identify_what_one_process_identifies_and_go_on_after_a_bad_file(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = draw(tmp_path / "scans", (150, 150), (151, 150), (152, 150))
    bad = paths[1].with_name("bad.png")
    bad.write_bytes(b"no picture")
    paths.insert(1, bad)
    alone = identify(paths)
    for path in cache.iterdir():
        path.unlink()
    monkeypatch.setattr(looking, "PARALLEL", 1)
    monkeypatch.setattr(looking, "CHUNK", 2)
    monkeypatch.setattr(looking, "cores", lambda: 2)
    together = identify(paths)
    assert [str(one) for one in together] == [str(one) for one in alone]
    assert [isinstance(one, ImageError) for one in together] == [False, True, False, False]


def test_a_file_that_is_kept_twice_is_found_once(tmp_path: Path, cache: Path) -> None:
    paths = draw(tmp_path / "scans", (150, 150), (160, 150))
    one, other = (looks.look([str(path)]) for path in paths)
    look_store.write([one, one, other])  # as when a file takes another's place meanwhile
    rows = index_folders([tmp_path / "scans"], label_map={}).rows
    seen, place = look_at(Index(rows, Path("/")))
    kept = [*one.looks.measured, *other.looks.measured]
    assert np.array_equal(seen.measured[place], kept, equal_nan=True)


def test_each_of_two_bad_files_with_the_same_bytes_is_named(tmp_path: Path, cache: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no picture")
    told = identify([tmp_path / "a.png", tmp_path / "b.png", tmp_path / "absent.png"])
    assert [one.path.name for one in told if isinstance(one, ImageError)] == [
        "a.png", "b.png", "absent.png"
    ]  # fmt: skip
    assert "b.png: got content of no known image format" in str(told[1])


@given(height=st.integers(1, 40), width=st.integers(1, 40), long=st.sampled_from([1, 100]))
@example(height=1, width=1, long=1)
@settings(max_examples=30, deadline=None)
def test_a_picture_of_any_shape_can_be_looked_at(height: int, width: int, long: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (path,) = draw(Path(folder), (height * long, width))
        (one,), seen = looks.look([str(path)])
    assert isinstance(one, Identity)
    assert (one.width, one.height, one.mode) == (width, height * long, "L")
    assert len(seen) == 1
