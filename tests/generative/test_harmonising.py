"""The check of a harmonised scan: outlines at the right place, changes counted by hand."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor, nn

from brainlens.core.errors import UserError
from brainlens.generative.harmonising import (
    OUTLINES,
    changes,
    figures,
    find_outlined,
    harmonised,
    mask,
)


def test_an_outline_is_scaled_from_512_pixels_to_the_scan() -> None:
    square = [[128, 256], [255, 256], [255, 383], [128, 383]]
    inside = mask(square, (128, 256))
    rows, columns = np.nonzero(inside)
    assert (rows.min(), rows.max()) == (64, 95)  # 256 and 383 of 512, at 128 px
    assert (columns.min(), columns.max()) == (64, 127)


def test_changes_are_counted_inside_and_outside_the_outline() -> None:
    """A head of 100 with a tumour of 180 that fades to 140, while the head brightens by 10."""
    before, inside = np.full((60, 60), 100, np.uint8), np.zeros((60, 60), bool)
    inside[20:30, 20:30] = True
    before[inside] = 180
    before[:, :5] = 0  # air, which does not count
    after = before + np.uint8(10)
    after[:, :5] = 90
    after[inside] = 140
    assert changes(before, after, inside) == {
        "inside": 40.0, "outside": 10.0, "contrast_before": 80.0, "contrast_after": 30.0
    }  # fmt: skip
    assert changes(before, after, np.zeros((60, 60), bool)) is None


def test_of_a_network_that_changes_nothing_the_ratio_has_no_value() -> None:
    still = {"inside": 0.0, "outside": 0.0, "contrast_before": 80.0, "contrast_after": 80.0}
    found = figures([still, still], ["a", "b"], seed=0)
    assert found["inside_to_outside"] == {"value": None, "low": None, "high": None}
    assert found["change_outside"]["value"] == 0
    assert found["contrast_left"]["value"] == 1


def test_a_dark_tumour_that_turns_bright_has_lost_its_contrast() -> None:
    """Contrasts of 80 to 40 and of -20 to +10: (40 - 10) / (80 + 20) is left."""
    rows = [
        {"inside": 4.0, "outside": 2.0, "contrast_before": 80.0, "contrast_after": 40.0},
        {"inside": 2.0, "outside": 1.0, "contrast_before": -20.0, "contrast_after": 10.0},
    ]
    found = figures(rows, ["a", "b"], seed=0)
    values = {name: one["value"] for name, one in found.items()}
    assert values == pytest.approx(
        {"change_inside": 3.0, "change_outside": 1.5, "inside_to_outside": 2.0,
         "contrast_left": 0.3}
    )  # fmt: skip
    assert found["inside_to_outside"]["low"] == pytest.approx(2.0)
    one_patient = figures(rows, ["a", "a"], seed=0)["contrast_left"]
    assert one_patient["low"] == one_patient["high"] == pytest.approx(0.3)


class Negative(nn.Module):
    """A network whose answer is known."""

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2] % 8 == 0
        assert x.shape[3] % 8 == 0
        return -x


def test_a_scan_of_any_size_goes_through() -> None:
    pixels = np.arange(7 * 13, dtype=np.uint8).reshape(7, 13, 1).repeat(3, 2)
    assert np.array_equal(harmonised(Negative(), pixels, 8), 255 - pixels)


def test_scans_are_found_by_their_outlines(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no readable manifest\.csv"):
        find_outlined(tmp_path)
    with gzip.open(tmp_path / OUTLINES, "wt") as stream:
        json.dump({"7": [[0, 0], [9, 0], [9, 9]]}, stream)
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "manifest.csv").write_text(
        "file,figshare_id,slice_run\na.png,7,3\nb.png,8,3\nc.png,0,0\n"
    )
    (one,) = find_outlined(tmp_path)
    assert (one.file.name, one.group, len(one.outline)) == ("a.png", "3", 3)
    with pytest.raises(UserError, match="no outlined tumour with 'sartaj'"):
        find_outlined(tmp_path, "sartaj")


def test_the_outlines_of_the_shared_scans_lie_on_tumours(shared: Path) -> None:
    """With contrast agent tumours are brighter than what surrounds them, if the place is right."""
    found = find_outlined(shared / "data" / "mri", "meningioma")[::40]
    brighter = 0
    for one in found:
        pixels = np.asarray(Image.open(one.file).convert("L"))
        row = changes(pixels, pixels, mask(one.outline, pixels.shape))
        brighter += bool(row and row["contrast_before"] > 0)
    assert brighter > 0.8 * len(found)
