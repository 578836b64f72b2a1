"""PNG by rows: what Pillow reads back is what was given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.core.png import write_png


@pytest.mark.parametrize(
    ("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")]
)  # fmt: skip
def test_bands_add_up_to_the_picture(tmp_path: Path, channels: int, mode: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (97, 23, channels), dtype=np.uint8)
    bands = [pixels[:1], pixels[1:71], pixels[71:]]
    path = write_png(tmp_path / "a.png", bands, width=23, height=97, channels=channels)
    with Image.open(path) as image:
        assert image.mode == mode
        np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_sixteen_bits_texts_and_profile_are_kept(tmp_path: Path) -> None:
    pixels = np.array([[[0], [256]], [[65535], [1]]], np.uint16)
    path = write_png(
        tmp_path / "a.png", [pixels], width=2, height=2, channels=1, deep=True,
        texts={"Disclaimer": "nur zum Ansehen, größer"}, profile=b"a profile",
    )  # fmt: skip
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels[..., 0])
        assert image.info["Disclaimer"] == "nur zum Ansehen, größer"
        assert image.info["icc_profile"] == b"a profile"


def test_a_stopped_writer_leaves_no_file(tmp_path: Path) -> None:
    def bands() -> Iterator[np.ndarray]:
        yield np.zeros((1, 4, 1), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_png(tmp_path / "a.png", bands(), width=4, height=2, channels=1)
    assert list(tmp_path.iterdir()) == []
