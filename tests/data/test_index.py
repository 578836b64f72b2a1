"""An index is read back as it was written, wherever it lies, or refused in one line."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainlens.core.errors import IndexFileError
from brainlens.data.index import (
    COLUMNS,
    Index,
    Row,
    counts,
    missing_file_error,
    moved,
    read_index,
    write_index,
)

A = Row("glioma/a.png", "glioma", "d1", "p1", 30, 20, "L", "g-1")
B = Row("none/b.jpg", "none", "d2", "p2", 40, 10, "RGB", "g-2", "p-7", "test", flags="x;y")
HEADER = ",".join(COLUMNS)
LINE = "glioma/a.png,glioma,d1,p1,30,20,L,g-1,,,real,,,"
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"))
NAMES = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc"], include_characters="\n, \";'", exclude_characters="/"
    ),
    min_size=1,
).filter(lambda name: name not in (".", ".."))


def file(folder: Path, text: str, *, encoding: str = "utf-8") -> Path:
    """An index file of this text."""
    path = folder / "index.csv"
    path.write_text(text, encoding)
    return path


def refuses(path: Path, message: str) -> Any:
    """An IndexFileError of one line that begins with the file."""
    return pytest.raises(IndexFileError, match=rf"\A{path}{message}[^\n]*\Z")


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    path = write_index([A, B], tmp_path, tmp_path / "index.csv")
    assert read_index(path) == Index((A, B), tmp_path)
    assert path.read_text("utf-8").splitlines()[0] == HEADER


@given(st.lists(NAMES, min_size=1, unique=True), WORDS.filter(bool), WORDS, WORDS)
@settings(deadline=None, max_examples=40)
def test_commas_unicode_and_line_breaks_come_back(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], label: str, patient: str, flags: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    rows = tuple(
        replace(A, path=f"c/{n}", label=label, patient=patient, flags=flags) for n in names
    )
    assert read_index(write_index(rows, folder, folder / "any.csv")).rows == rows


def test_another_program_reads_the_same_table(tmp_path: Path) -> None:
    odd = replace(A, path='glioma/ü, "1"\n.png')
    path = write_index([odd], tmp_path, tmp_path / "index.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        (record,) = csv.DictReader(stream)
    assert (record["path"], record["width"], record["origin"]) == (odd.path, "30", "real")


def test_paths_start_from_the_index_wherever_it_is_written(tmp_path: Path) -> None:
    image = tmp_path / "scans" / "glioma" / "a.png"
    image.parent.mkdir(parents=True)
    image.touch()
    for place, expected in (
        ("index.csv", "scans/glioma/a.png"),
        ("scans/index.csv", "glioma/a.png"),
        ("out/deep/index.csv", "../../scans/glioma/a.png"),
    ):
        path = write_index([A], tmp_path / "scans", tmp_path / place)
        index = read_index(path)
        assert index.rows[0].path == expected
        assert index.file(index.rows[0]).resolve() == image


def test_an_index_written_through_a_linked_folder_finds_its_images(tmp_path: Path) -> None:
    (tmp_path / "scans" / "glioma").mkdir(parents=True)
    (tmp_path / "scans" / "glioma" / "a.png").touch()
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "away")
    index = read_index(write_index([A], tmp_path / "scans", tmp_path / "link" / "index.csv"))
    assert index.file(index.rows[0]).is_file()
    (index_again,) = moved(index.rows, index.folder, tmp_path / "scans")
    assert index_again == A


def test_absolute_paths_become_relative(tmp_path: Path) -> None:
    row = replace(A, path=str(tmp_path.resolve() / "glioma" / "a.png"))
    assert moved([row], Path("/"), tmp_path)[0].path == "glioma/a.png"
    assert moved([row], tmp_path, tmp_path)[0].path == "glioma/a.png"


def test_the_digest_stays_when_files_move_or_lines_change_places(tmp_path: Path) -> None:
    digest = Index((A, B), tmp_path).digest()
    assert Index((B, A), Path("/")).digest() == digest
    assert Index((replace(A, path="elsewhere.png", digest="jpeg"), B), tmp_path).digest() == digest


@pytest.mark.parametrize("change", ["label", "split", "group", "origin", "pixel_digest"])
def test_the_digest_changes_with_what_the_index_says(tmp_path: Path, change: str) -> None:
    digest = Index((A, B), tmp_path).digest()
    changed: dict[str, Any] = {change: "train"}
    assert Index((replace(A, **changed), B), tmp_path).digest() != digest
    assert Index((A,), tmp_path).digest() != digest
    assert Index((A, B, B), tmp_path).digest() != digest


def test_labels_are_sorted_and_splits_keep_the_order_of_the_file(tmp_path: Path) -> None:
    first, second = replace(B, path="2.png"), replace(B, path="1.png")
    index = Index((first, A, second), tmp_path)
    assert index.labels == ["glioma", "none"]
    assert index.of("test") == [first, second]
    assert counts(index.rows) == {"test": {"none": 2}, "": {"glioma": 1}}


def test_an_old_index_without_the_late_columns_reads(tmp_path: Path) -> None:
    head, line = HEADER.removesuffix(",fold,official"), LINE.removesuffix(",,")
    assert read_index(file(tmp_path, f"{head}\n{line}\n")).rows == (A,)


def test_columns_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    assert read_index(file(tmp_path, f"note,{HEADER}\nmine,{LINE}\n")).rows == (A,)


def test_a_table_saved_by_excel_reads(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    path.write_bytes(f"{HEADER}\r\n{LINE}\r\n".encode("utf-8-sig"))
    assert read_index(path).rows == (A,)


def test_an_empty_origin_is_real(tmp_path: Path) -> None:
    assert read_index(file(tmp_path, f"{HEADER}\n{LINE.replace('real', '')}\n")).rows == (A,)


@pytest.mark.parametrize("name", COLUMNS[:12])
def test_a_missing_column_is_named(tmp_path: Path, name: str) -> None:
    head = ",".join(column for column in COLUMNS if column != name)
    with refuses(tmp_path / "index.csv", rf": is no index \(column '{name}' is missing\)"):
        read_index(file(tmp_path, f"{head}\n"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (LINE.replace("30", "wide"), ", line 3: width and height must be numbers"),
        (LINE.replace("20", "2.5"), ", line 3: width and height must be numbers"),
        ("short.png,glioma", ", line 3: width and height must be numbers"),
        (LINE.replace(",,,real", ",,Test,real"), ", line 3: split 'Test'; expected train, val"),
        (LINE, r": glioma/a\.png is listed twice"),
        (LINE.replace("a.png,glioma", "c.png,"), r": glioma/c\.png has no label"),
        (LINE.replace("a.png", "c.png").replace("d1", ""), r": glioma/c\.png has no digest"),
        (LINE.replace("a.png", "c.png").replace("p1", ""), r": glioma/c\.png has no pixel_digest"),
        (LINE.replace("a.png", "c.png").replace("g-1", ""), r": glioma/c\.png has no group"),
        (LINE.replace("glioma/a.png", ""), ": a row has no path"),
        (LINE.replace("a.png", "c.png").replace(",,,real", ",,test,dcgan"), ".+ is synthetic"),
        (LINE.replace("a.png", "c.png").replace(",,,real", ",,val,dcgan"), ".+ may only train"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, line: str, message: str) -> None:
    with refuses(tmp_path / "index.csv", message):
        read_index(file(tmp_path, f"{HEADER}\n{LINE}\n{line}\n"))


def test_a_fault_is_found_on_its_line_after_a_name_of_two_lines(tmp_path: Path) -> None:
    two = LINE.replace("glioma/a.png", '"glioma/a\n.png"')
    with refuses(tmp_path / "index.csv", ", line 4: width and height"):
        read_index(file(tmp_path, f"{HEADER}\n{two}\n{LINE.replace('30', '')}\n"))


@pytest.mark.parametrize("split", ["train", ""])
def test_synthetic_images_may_train(tmp_path: Path, split: str) -> None:
    row = replace(A, origin="dcgan", split=split)
    assert read_index(write_index([row], tmp_path, tmp_path / "index.csv")).rows == (row,)


def test_an_index_without_images_is_refused(tmp_path: Path) -> None:
    with refuses(tmp_path / "index.csv", ": lists no image"):
        read_index(file(tmp_path, f"{HEADER}\n"))
    with refuses(tmp_path / "index.csv", ": is no index"):
        read_index(file(tmp_path, ""))


def test_a_folder_or_nothing_in_the_place_of_an_index_says_how_to_make_one(tmp_path: Path) -> None:
    with refuses(tmp_path, f": is a folder.+brainlens index {tmp_path} -o index.csv"):
        read_index(tmp_path)
    with refuses(tmp_path / "none.csv", ": no such file.+brainlens index FOLDER"):
        read_index(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "content", [b"\xff\xfep\x00", b"\x89PNG\r\n\x1a\n\x00", f"{HEADER}\n{'a' * 200_000}\n".encode()]
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "index.csv"
    path.write_bytes(content)
    with refuses(path, ": (cannot be read as an index|is no index)"):
        read_index(path)


def test_an_image_that_moved_is_named_with_what_to_do(tmp_path: Path) -> None:
    message = str(missing_file_error(Index((A,), tmp_path), A))
    assert message.startswith(f"{tmp_path / 'glioma/a.png'}: no such file, though the index lists")
    assert "\n" not in message
