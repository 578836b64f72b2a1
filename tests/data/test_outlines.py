"""Outlines come to lie where the picture does, however it is cut and fitted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.core.errors import IndexFileError
from brainlens.data.index import Index
from brainlens.data.indexing import index_folders
from brainlens.data.outlines import mask, masks, read_outlines
from brainlens.data.preprocess import Fit, Preprocessing

SQUARE = [(0.5, 0.25), (0.75, 0.25), (0.75, 0.5), (0.5, 0.5)]  # of a picture 200 wide, 100 high


def head() -> np.ndarray:
    """A bright box in a dark picture, with a brighter square where the outline is."""
    grey = np.zeros((100, 200), np.uint8)
    grey[10:90, 40:180] = 100
    grey[25:50, 100:150] = 250
    return grey


@pytest.mark.parametrize("fit", ["stretch", "pad"])
@pytest.mark.parametrize("crop", [True, False])
def test_the_mask_covers_what_it_outlines(fit: Fit, crop: bool) -> None:
    preprocessing = Preprocessing(96, fit, crop)
    drawn = mask(head(), [SQUARE], preprocessing) > 127
    bright = preprocessing.picture(head()) > 175
    union = (drawn | bright).sum()
    assert (drawn & bright).sum() / union > 0.85


def test_rows_without_an_outline_are_told_apart(tmp_path: Path) -> None:
    for label in ("none", "glioma"):
        (tmp_path / "scans" / label).mkdir(parents=True)
        Image.fromarray(head()).save(tmp_path / "scans" / label / f"{label}.png")
    index = Index(tuple(index_folders([tmp_path / "scans"], label_map={}).rows), Path("/"))
    file = tmp_path / "outlines.json.gz"
    file.write_bytes(gzip.compress(json.dumps({"scans/glioma/glioma.png": [SQUARE]}).encode()))
    drawn, known = masks(index, index.rows, read_outlines(file), Preprocessing(64))
    assert [row.label for row in index.rows] == ["glioma", "none"]
    assert known.tolist() == [True, False]
    assert drawn[0].any()
    assert not drawn[1].any()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "cannot be read as outlines"),
        ('{"a.png": [[[0, 0], [1, 1]]]}', "fewer than three points"),
        ('{"a.png": 3}', "cannot be read as outlines"),
        ("", "cannot be read as outlines"),
    ],
)
def test_what_is_no_outline_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "o.json").write_text(text)
    with pytest.raises(IndexFileError, match=said):
        read_outlines(tmp_path / "o.json")
    with pytest.raises(IndexFileError, match="no such file"):
        read_outlines(tmp_path / "absent.json")
