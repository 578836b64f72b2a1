"""Owns the first stage: folders of labelled scans in, index rows out.

`<root>/<class>/...`, with `Training/` and `Testing/` folders above or below the class kept as the
official split. Every image is looked at (looking), and not again by the audit: a file that cannot
be read is named and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from brainlens.core.errors import ImageError, IndexFileError
from brainlens.core.images import find_images
from brainlens.data.grouping import name_groups
from brainlens.data.index import Row
from brainlens.data.labels import SPLIT_FOLDERS, apply_map, canonical, is_known
from brainlens.data.looking import identify
from brainlens.data.looks import Identity
from brainlens.data.manifest import Known, read_manifest


@dataclass(frozen=True)
class Indexed:
    """What indexing found: rows (paths absolute), and what it left out."""

    rows: tuple[Row, ...]
    unreadable: tuple[ImageError, ...]
    left_out: Mapping[str, int]  # folder name -> images that the label map leaves out
    unlabelled: tuple[Path, ...]  # images in no class folder


@dataclass(frozen=True)
class _Found:
    path: Path
    folder: str  # the class folder's name
    official: str


def index_folders(
    roots: Sequence[Path], *, label_map: Mapping[str, str], manifest: Path | None = None
) -> Indexed:
    """Read every image below the roots; raises IndexFileError where there is nothing to index."""
    known = read_manifest(manifest) if manifest else {}
    found: list[_Found] = []
    unlabelled: list[Path] = []
    for root in roots:
        _scan(root, found, unlabelled)
    if not found:
        raise _no_classes(roots, unlabelled)
    labelled, left_out = _labelled(_once(found), label_map)
    if not labelled:
        names = ", ".join(sorted(left_out))
        raise IndexFileError(f"the label map leaves out every class ({names}). Check --label-map")
    if manifest and not any(item.path.resolve() in known for item, _ in labelled):
        raise IndexFileError(
            f"{manifest}: lists none of the {len(labelled)} images. Its paths must be relative to "
            "the manifest's own folder"
        )
    rows, unreadable = _read_all(labelled, known, label_map)
    if not rows:
        raise (
            unreadable[0]
            if len(unreadable) == 1
            else IndexFileError(
                f"none of the {len(unreadable)} images can be read; the first: {unreadable[0]}"
            )
        )
    return Indexed(tuple(rows), tuple(unreadable), left_out, tuple(unlabelled))


def _scan(root: Path, found: list[_Found], unlabelled: list[Path]) -> None:
    """Sort the images below `root` into class folders; an empty class is an error."""
    if not root.is_dir():
        what = "is a file" if root.exists() else "no such folder"
        raise IndexFileError(f"{root}: {what}; expected a folder with one sub-folder a class")
    images = find_images(root)
    filled: set[Path] = set()
    for image in images:
        filled.update(image.relative_to(root).parents)
        folder, official = _class_folder(root, image)
        if folder:
            found.append(_Found(image, folder, official))
        else:
            unlabelled.append(image)
    for folder_path in _class_candidates(root):
        if images and folder_path.relative_to(root) not in filled and not find_images(folder_path):
            raise IndexFileError(
                f"{folder_path}: the class folder holds no image. Fill it, or remove it"
            )


def _class_candidates(root: Path) -> Iterator[Path]:
    """Folders that should hold a class: directly below the root or a split folder."""
    for child in sorted(root.iterdir()):
        if child.is_dir() and not child.name.startswith((".", "_")):
            if child.name.lower() in SPLIT_FOLDERS:
                yield from _class_candidates(child)
            else:
                yield child


def _class_folder(root: Path, image: Path) -> tuple[str, str]:
    """The class folder's name ("" for none) and the official split of an image.

    The deepest folder with a known class name, else the topmost that is no split folder.
    """
    folders = image.relative_to(root).parts[:-1]
    sides = (SPLIT_FOLDERS.get(name.lower(), "") for name in (*folders, root.name))
    official = next(filter(None, sides), "")
    classes = [folder for folder in folders if folder.lower() not in SPLIT_FOLDERS]
    known = next((folder for folder in reversed(classes) if is_known(folder)), "")
    return known or (classes[0] if classes else ""), official


def _no_classes(roots: Sequence[Path], unlabelled: Sequence[Path]) -> IndexFileError:
    """Say why a folder cannot be indexed."""
    where = ", ".join(map(str, roots))
    if unlabelled:
        return IndexFileError(
            f"{where}: {len(unlabelled)} images but no class folders. Put the images of each class "
            "in a folder named after it, such as glioma/, none/"
        )
    return IndexFileError(
        f"{where}: holds no image (looked for JPEG, PNG, TIFF, WebP, BMP, GIF); expected "
        "FOLDER/CLASS/IMAGE"
    )


def _once(found: Sequence[_Found]) -> list[_Found]:
    """Each file once, though roots may overlap; raises IndexFileError where its classes differ."""
    first: dict[Path, _Found] = {}
    for item in found:
        known = first.setdefault(_place(item.path), item)
        if canonical(known.folder) != canonical(item.folder):
            raise IndexFileError(
                f"{item.path}: is given twice, as {known.folder} and as {item.folder}. "
                "Give each folder once"
            )
        if item.official and not known.official:
            first[_place(item.path)] = item
    return list(first.values())


def _place(path: Path) -> Path:
    """Where a file lies, by its own name: a data store's link is followed only when read."""
    return path.parent.resolve() / path.name


def _labelled(
    found: Sequence[_Found], label_map: Mapping[str, str]
) -> tuple[list[tuple[_Found, str]], dict[str, int]]:
    """Pair what was found with its label; count by folder what the map leaves out."""
    labelled: list[tuple[_Found, str]] = []
    left_out: dict[str, int] = {}
    for item in found:
        label = apply_map(item.folder, label_map)
        if label:
            labelled.append((item, label))
        else:
            left_out[item.folder] = left_out.get(item.folder, 0) + 1
    return labelled, left_out


def _read_all(
    labelled: Sequence[tuple[_Found, str]],
    known: Mapping[Path, Known],
    label_map: Mapping[str, str],
) -> tuple[list[Row], list[ImageError]]:
    """A row of every image that can be read, with its group; and what cannot be."""
    rows: list[Row] = []
    twins: list[str] = []
    unreadable: list[ImageError] = []
    files = identify([item.path for item, _ in labelled])
    for (item, label), file in zip(labelled, files, strict=True):
        facts = known.get(item.path.resolve(), Known())
        try:
            rows.append(_row(item, label, file, facts, label_map))
            twins.append(facts.twins)
        except ImageError as error:
            unreadable.append(error)
    return _with_groups(rows, twins), unreadable


def _row(
    item: _Found, label: str, file: Identity | ImageError, facts: Known,
    label_map: Mapping[str, str],
) -> Row:  # fmt: skip
    """Write down what an image is."""
    place = str(_place(item.path))
    if "\r" in place or place != place.encode("utf-8", "replace").decode():
        got = "a name with a carriage return or not in UTF-8"
        raise ImageError(repr(place)[1:-1], got, "a name that fits in an index", "Rename it")
    if isinstance(file, ImageError):
        raise file
    return Row(
        path=place,
        label=label,
        **file._asdict(),
        group="",
        patient=facts.patient,
        flags=";".join(filter(None, _notes(label, facts, label_map))),
        fold=facts.fold,
        official=item.official or SPLIT_FOLDERS.get(facts.official.lower(), ""),
    )


def _notes(label: str, facts: Known, label_map: Mapping[str, str]) -> tuple[str, str]:
    """What a manifest says that has no column of its own: a second label, the plane."""
    plane = re.sub(r"[^\w-]", "", facts.plane.lower())
    return _doubt(label, facts.second_label, label_map), f"plane={plane}" if plane else ""


def _doubt(label: str, second_label: str, label_map: Mapping[str, str]) -> str:
    """A flag where the second label contradicts the first; a tumour may be of any kind."""
    second = apply_map(second_label, label_map) if second_label else ""
    if second in ("", label) or ("tumour" in (label, second) and "none" not in (label, second)):
        return ""
    return f"second-label={canonical(second_label)}"


def _with_groups(rows: Sequence[Row], twins: Sequence[str]) -> list[Row]:
    """Join exact copies, manifest twins and patients into groups."""
    from dataclasses import replace

    names = name_groups(
        [row.pixel_digest for row in rows],
        [[row.digest for row in rows], [row.patient for row in rows], twins],
    )
    return [replace(row, group=name) for row, name in zip(rows, names, strict=True)]
