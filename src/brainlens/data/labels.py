"""Owns what the folders of an image say: its class's canonical name, and its source.

`glioma`, `meningioma`, `pituitary`, `none`, and `tumour` where the kind is not told. Names that
mean none of these stay as they are, so any folder of classes works.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from brainlens.core.config import read_toml
from brainlens.core.errors import ConfigError, nearest

ALIASES: dict[str, tuple[str, ...]] = {
    "glioma": ("glioma", "gliomas", "gliomatumor", "gliomatumour"),
    "meningioma": ("meningioma", "meningiomas", "meningiomatumor", "meningiomatumour"),
    "pituitary": ("pituitary", "pituitarytumor", "pituitarytumour", "pituitaryadenoma"),
    "none": ("no", "none", "notumor", "notumour", "normal", "healthy", "negative"),
    "tumour": ("yes", "tumor", "tumour", "braintumor", "braintumour", "positive"),
}
_CANONICAL = {alias: label for label, aliases in ALIASES.items() for alias in aliases}

# `--label-map NAME`: an empty label leaves the rows out.
NAMED_MAPS: dict[str, dict[str, str]] = {
    "types": {"tumour": ""},  # four classes: a tumour of unknown kind cannot be used
    "binary": {"glioma": "tumour", "meningioma": "tumour", "pituitary": "tumour"},
}

SPLIT_FOLDERS: dict[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
}


def canonical(name: str) -> str:
    """The canonical label of a folder's name, or the name itself."""
    name = name.strip()
    letters = re.sub(r"[\W\d_]", "", name.lower())
    counted = letters in ("no", "yes") and name[-1].isdigit()  # "No. 12" is no class
    return name if counted else _CANONICAL.get(letters, name)


def is_known(name: str) -> bool:
    """Whether a folder's name means one of the canonical labels."""
    return canonical(name) in ALIASES


def parse_map(text: str) -> dict[str, str]:
    """`types`, `binary`, `yes=tumour,no=none` or a TOML file of such pairs."""
    if not text:
        return {}
    if text in NAMED_MAPS:
        return dict(NAMED_MAPS[text])
    if "=" in text:
        return dict(_pair(item) for item in text.split(",") if item.strip())
    path = Path(text)
    if path.is_file():
        table = read_toml(path)
        if not all(isinstance(label, str) for label in table.values()):
            raise ConfigError(f'{path}: expected lines like yes = "tumour"')
        return table
    raise ConfigError(
        f"--label-map {text}: no such file or map: {nearest(text, NAMED_MAPS)}; "
        "or pairs like yes=tumour,no=none"
    )


def _pair(text: str) -> tuple[str, str]:
    """`yes=tumour` as name and label; a lone name, which would leave a class out, is refused."""
    name, equals, label = (part.strip() for part in text.partition("="))
    if not name or not equals:
        raise ConfigError(f"--label-map {text.strip()}: expected NAME=LABEL, such as yes=tumour")
    return name, label


def apply_map(name: str, mapping: Mapping[str, str]) -> str:
    """The label of folder `name`; the map may speak of the folder's name or of the canonical one.

    An empty answer means: leave these images out.
    """
    label = canonical(name)
    return mapping.get(name, mapping.get(label, label))


def source_of(path: str) -> str:
    """The folder that holds the class folders (and Training/, Testing/): which set it came from."""
    folders = [name for name in PurePosixPath(path).parts[:-1] if name.lower() not in SPLIT_FOLDERS]
    known = (i for i in reversed(range(len(folders))) if is_known(folders[i]))
    above = next(known, len(folders) - 1) - 1
    return folders[above] if above >= 0 else ""
