"""Owns the data sets that a reproduction is given: which folder is which published set.

Enters: `FOLDER` or `SET=FOLDER`, where a folder is one set (class folders) or holds several.
Leaves: folders by the set's name; and from them one audited pool of rows. A published set keeps
its name under the names that its archive unpacks to.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from brainlens.core.errors import IndexFileError
from brainlens.core.images import find_images
from brainlens.data.audit_file import audit_file
from brainlens.data.index import Row, read_index, write_index
from brainlens.data.indexing import index_folders
from brainlens.data.labels import SPLIT_FOLDERS, is_known, parse_map

# Names of folders by published set, letters alone.
ALIASES: dict[str, tuple[str, ...]] = {
    "sartaj": ("sartaj", "braintumorclassificationmri"),  # seed A, 3,264 images
    "navoneel": ("navoneel", "braintumordataset", "brainmriimagesforbraintumordetection"),  # B, C
    "br35h": ("br", "brh", "brhunique", "braintumordetection"),
    "cheng": ("cheng", "figshare", "figshareextra"),
    "edureka": ("edureka",),  # the 4,600 images that seed B trained on
}
_NAMES = {alias: name for name, aliases in ALIASES.items() for alias in aliases}

Sets = dict[str, Path]


@dataclass(frozen=True)
class Pool:
    """The audited rows of all sets; groups are joined across the sets."""

    rows: tuple[Row, ...]  # with absolute paths
    sets: tuple[str, ...]  # the set of each row, in the same order

    def of(self, *names: str) -> list[Row]:
        """The rows of these sets; of all where none is named."""
        return [
            r for r, name in zip(self.rows, self.sets, strict=True) if name in names or not names
        ]

    def without(self, *names: str) -> list[Row]:
        """The rows of the other sets."""
        return [r for r, name in zip(self.rows, self.sets, strict=True) if name not in names]


def find_sets(arguments: Sequence[str]) -> Sets:
    """The sets given on the command line; raises IndexFileError where a folder is none."""
    found: Sets = {}
    for text in arguments:
        name, equals, place = text.partition("=")
        if equals and not Path(text).exists():
            own = {name.strip(): Path(place)}
            _refuse_no_set(Path(place))
        else:
            own = _below(Path(text))
        for name, folder in own.items():
            if name in found:
                raise IndexFileError(
                    f"{folder}: is the second folder called {name} (the first: {found[name]}). "
                    "Name them apart: one=FOLDER two=FOLDER"
                )
            found[name] = folder
    return found


def _below(root: Path) -> Sets:
    """A folder as one set, or the sets that it holds."""
    if not root.is_dir():
        raise IndexFileError(f"{root}: no such folder; expected class folders, or sets of them")
    if _is_set(root):
        return {_name(root): root}
    found = {_name(child): child for child in _folders(root) if _is_set(child)}
    if not found:
        _refuse_no_set(root)
    return found


def _refuse_no_set(folder: Path) -> None:
    if not folder.is_dir() or not _is_set(folder):
        raise IndexFileError(
            f"{folder}: holds no class folders; expected such as {folder}/yes and {folder}/no"
        )


def _is_set(folder: Path) -> bool:
    """Whether its own folders are classes, or Training and Testing."""
    return any(
        is_known(child.name)
        or child.name.lower() in SPLIT_FOLDERS
        or any(path.parent == child for path in find_images(child))
        for child in _folders(folder)
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(c for c in folder.iterdir() if c.is_dir() and not c.name.startswith("."))


def _name(folder: Path) -> str:
    own = folder.resolve().name
    return _NAMES.get(re.sub(r"[\W\d_]", "", own.lower()), own)


def take(given: Sets, wanted: Sequence[str]) -> tuple[Sets, list[str]]:
    """The sets that a protocol names ("*": every other one too), and what stands in for what.

    Raises IndexFileError where one is missing and no lone other folder can stand in for it.
    """
    chosen = {name: given[name] for name in wanted if name in given}
    spare = {name: folder for name, folder in given.items() if name not in chosen}
    notes: list[str] = []
    for name in wanted:
        if name == "*" or name in chosen:
            continue
        if len(spare) != 1 or "*" in wanted:
            raise IndexFileError(
                f"the protocol needs the set {name}; got {', '.join(given)}. Give its folder as "
                f"{name}=FOLDER"
            )
        (other,) = spare
        chosen[name] = spare.pop(other)
        notes.append(f"{other} stands in for {name}")
    if "*" in wanted:
        if not spare:
            raise IndexFileError(
                f"the protocol trains on other sets than {', '.join(chosen)}; got none. Give "
                "one more folder"
            )
        chosen |= spare
    return chosen, notes


def read_pool(sets: Mapping[str, Path], labels: str, out: Path, *, most: int = 0) -> Pool:
    """Index and audit the sets together, below `out`; of each folder `most` files, 0: all."""
    roots = {
        name: _few(folder, out / "few" / name, most) if most else folder
        for name, folder in sets.items()
    }
    found = index_folders(
        list(roots.values()), label_map=parse_map(labels), manifest=_manifest(sets.values())
    )
    write_index(found.rows, Path("/"), out / "index.csv")
    audit_file(out / "index.csv", out / "audit", overwrite=True)
    audited = read_index(out / "audit" / "index.csv")
    places = {name: str(root.resolve()) + os.sep for name, root in roots.items()}
    rows, names = [], []
    for row in audited.rows:
        path = os.path.normpath(audited.folder.resolve() / row.path)
        rows.append(dataclasses.replace(row, path=path))
        names.append(next(name for name, place in places.items() if path.startswith(place)))
    return Pool(tuple(rows), tuple(names))


def _manifest(folders: object) -> Path | None:
    """`manifest.csv` in a set's folder or the one above, where there is one."""
    assert hasattr(folders, "__iter__")
    for folder in folders:
        for place in (folder, folder.resolve().parent):
            if (place / "manifest.csv").is_file():
                return Path(place / "manifest.csv")
    return None


def _few(root: Path, target: Path, most: int) -> Path:
    """Links to so many images of each folder of a set, from its first to its last."""
    by_folder: defaultdict[Path, list[Path]] = defaultdict(list)
    shutil.rmtree(target, ignore_errors=True)  # of an interrupted try
    for image in find_images(root):
        by_folder[image.parent].append(image)
    for folder, images in by_folder.items():
        place = target / folder.relative_to(root)
        place.mkdir(parents=True, exist_ok=True)
        step = max(1.0, len(images) / most)
        for image in (images[int(n * step)] for n in range(min(most, len(images)))):
            (place / image.name).symlink_to(image.resolve())
    return target
