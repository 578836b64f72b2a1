"""The stage: what is kept of a picture, what is written beside it, what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlens.core.errors import ConfigError, ImageError, OutputError, UserError
from brainlens.generative.enlarging import bands, enlarged, in_memory
from brainlens.generative.generators import interpolation, open_generator
from brainlens.generative.pictures import Picture, read_picture
from brainlens.generative.upscaling import MARK, find_sources, upscale

NEAREST = interpolation("nearest", 4)


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]
    return path


def ramp(*shape: int) -> np.ndarray:
    return (np.arange(np.prod(shape)).reshape(shape) % 251).astype(np.uint8)


@pytest.mark.parametrize(("shape", "mode"), [((5, 6), "L"), ((5, 6, 2), "LA"), ((5, 6, 3), "RGB"),
                                             ((5, 6, 4), "RGBA")])  # fmt: skip
def test_grey_stays_grey_and_alpha_is_kept(
    tmp_path: Path, shape: tuple[int, ...], mode: str
) -> None:
    file = save(tmp_path / "a.png", ramp(*shape))
    upscale([file], tmp_path / "out", NEAREST)
    with Image.open(tmp_path / "out" / "a.png") as image:
        assert image.mode == mode
        assert image.size == (24, 20)
        colour = np.asarray(image).reshape(20, 24, -1)
    expected = ramp(*shape).reshape(5, 6, -1).repeat(4, 0).repeat(4, 1)
    channels = slice(None, -1) if mode in {"LA", "RGBA"} else slice(None)
    np.testing.assert_array_equal(colour[..., channels], expected[..., channels])


def test_sixteen_bits_stay_and_keep_their_range(tmp_path: Path, small_weights: Path) -> None:
    pixels = (np.linspace(900, 2300, 64).reshape(8, 8)).astype(np.uint16)
    file = save(tmp_path / "deep.png", pixels)
    upscale([file], tmp_path / "nearest", NEAREST)
    with Image.open(tmp_path / "nearest" / "deep.png") as image:
        assert image.mode.startswith("I;16")
        np.testing.assert_array_equal(np.asarray(image), pixels.repeat(4, 0).repeat(4, 1))
    seen = read_picture(file).tile(0, 8, 0, 8)  # what a network is shown
    assert seen.min() == 0
    assert seen.max() == 1
    upscale([file], tmp_path / "esrgan", open_generator(weights=small_weights))
    with Image.open(tmp_path / "esrgan" / "deep.png") as image:
        assert image.mode.startswith("I;16")


def test_a_grey_palette_becomes_grey_and_a_coloured_one_colour(tmp_path: Path) -> None:
    grey = Image.fromarray(ramp(8, 8)).convert("P")
    grey.save(tmp_path / "grey.png")
    colour = Image.fromarray(ramp(8, 8, 3)).convert("P")
    colour.save(tmp_path / "colour.png")
    assert read_picture(tmp_path / "grey.png").pixels.shape == (8, 8, 1)
    assert read_picture(tmp_path / "colour.png").pixels.shape == (8, 8, 3)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    file = save(tmp_path / "a.jpg", ramp(8, 16), exif=exif)
    assert read_picture(file).pixels.shape == (16, 8, 1)


def test_every_output_is_marked(tmp_path: Path) -> None:
    file = save(tmp_path / "a.png", ramp(8, 8))
    done, _ = upscale([file], tmp_path / "out", NEAREST)
    with Image.open(done[0].path) as image:
        assert image.info["Disclaimer"] == MARK
    beside = json.loads((tmp_path / "out" / "a.json").read_text())
    assert beside["mark"] == MARK
    assert beside["method"] == "nearest"
    assert (beside["width"], beside["height"]) == (32, 32)
    assert beside["precision"] == "32-true"
    assert beside["source_digest"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_tiles_of_a_network_are_the_untiled_picture(small_weights: Path) -> None:
    """To one grey level: a network sees further than a tile, but not much."""
    generator = open_generator(weights=small_weights)
    across = np.linspace(0, 255, 150)
    pixels = (across[None] * 0.6 + across[:120, None] * 0.4).astype(np.uint8)[..., None]
    picture = Picture("gradient", pixels, 0, 255)
    at_once = enlarged(picture, generator, tile=1000).astype(int)
    in_tiles = enlarged(picture, generator, tile=64).astype(int)
    assert np.abs(at_once - in_tiles).max() <= 1


def test_a_large_picture_waits_in_a_file_and_its_tiles_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    file = save(tmp_path / "a.png", pixels)
    held = read_picture(file)
    monkeypatch.setattr("brainlens.generative.pictures._SPARED", pixels.nbytes)
    waiting = read_picture(file)
    assert isinstance(waiting.pixels, np.memmap)
    assert not isinstance(held.pixels, np.memmap)
    for place in ((0, 30, 0, 30), (10, 40, 20, 50), (0, 30, 0, 30)):
        np.testing.assert_array_equal(waiting.tile(*place), held.tile(*place))
    np.testing.assert_array_equal(enlarged(waiting, NEAREST), pixels.repeat(4, 0).repeat(4, 1))


def test_rows_come_before_the_picture_is_whole() -> None:
    pixels = np.zeros((500, 70, 1), np.uint8)
    heights = [len(rows) for rows in bands(Picture("a", pixels, 0, 255), NEAREST, tile=64)]
    assert sum(heights) == 2000
    assert max(heights) <= 64 * 4


def test_too_little_memory_means_smaller_tiles(capsys: pytest.CaptureFixture[str]) -> None:
    tried: list[int] = []

    def greedy(part: np.ndarray) -> np.ndarray:
        tried.append(max(part.shape[:2]))
        if tried[-1] > 70:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        return NEAREST.enlarge(part)

    pixels = np.random.default_rng(0).integers(0, 255, (300, 200, 1), dtype=np.uint8)
    patient = in_memory(greedy, 4)
    part = pixels.astype(np.float32)
    done = patient(part)
    np.testing.assert_allclose(done, NEAREST.enlarge(part), atol=1e-3)
    assert "out of memory with a tile of 300 pixels; going on with 158" in capsys.readouterr().err
    before = len(tried)
    patient(part)  # it has learned: no second try of what failed
    assert max(tried[before:]) <= 70


def test_no_memory_at_all_is_said_in_one_line() -> None:
    def hopeless(part: np.ndarray) -> np.ndarray:
        raise MemoryError

    with pytest.raises(UserError, match="out of memory even in tiles of"):
        in_memory(hopeless, 4)(np.zeros((200, 200, 1), np.float32))


def test_another_fault_is_not_taken_for_lack_of_memory() -> None:
    def broken(part: np.ndarray) -> np.ndarray:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        in_memory(broken, 4)(np.zeros((200, 200, 1), np.float32))


def test_a_picture_below_4_pixels_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "a.png", ramp(3, 9))
    with pytest.raises(ImageError, match=r"a\.png: got 9 x 3 pixels; expected at least 4"):
        upscale([file], tmp_path / "out", NEAREST)


def test_an_output_that_exists_is_refused_before_any_work(tmp_path: Path) -> None:
    files = [save(tmp_path / name, ramp(8, 8)) for name in ("a.png", "b.png")]
    upscale(files[1:], tmp_path / "out", NEAREST)
    with pytest.raises(OutputError, match=r"b\.png: exists\. Give --overwrite"):
        upscale(files, tmp_path / "out", NEAREST)
    assert not (tmp_path / "out" / "a.png").exists()
    upscale(files, tmp_path / "out", NEAREST, overwrite=True)
    assert (tmp_path / "out" / "a.png").exists()


def test_folders_keep_their_shape_and_names_never_collide(tmp_path: Path) -> None:
    save(tmp_path / "in" / "x" / "a.png", ramp(8, 8))
    save(tmp_path / "in" / "y" / "a.png", ramp(8, 8))
    save(tmp_path / "in" / "y" / "a.jpg", ramp(8, 8))
    targets = {str(one.target) for one in find_sources([tmp_path / "in"])}
    assert targets == {"x/a", "y/a.png", "y/a.jpg"}
    with pytest.raises(UserError, match="two inputs have this name"):
        find_sources([tmp_path / "in" / "x" / "a.png", tmp_path / "in" / "y" / "a.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no image"):
        find_sources([tmp_path / "empty"])


def test_one_broken_file_does_not_stop_a_folder(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.png", ramp(8, 8))
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    done, unreadable = upscale([tmp_path / "in"], tmp_path / "out", NEAREST)
    assert [one.path.name for one in done] == ["a.png"]
    assert "b.png" in str(unreadable[0])


def test_the_sheet_shows_every_method(tmp_path: Path, small_weights: Path) -> None:
    file = save(tmp_path / "a.png", ramp(20, 30))
    upscale([file], tmp_path / "out", open_generator(weights=small_weights), compare=True)
    with Image.open(tmp_path / "out" / "a.compare.png") as page:
        assert page.width == 4 * (30 * 4 + 6) - 6
        assert page.height > 20 * 4
        assert page.info["Disclaimer"] == MARK


def test_slices_of_a_volume_are_numbered_and_marked(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    values = np.random.default_rng(0).uniform(0, 900, (9, 8, 12)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1, 1, 3, 1])), tmp_path / "v.nii.gz")
    done, _ = upscale([tmp_path / "v.nii.gz"], tmp_path / "out", NEAREST, slices="3:5")
    assert [one.path.name for one in done] == ["v-03.png", "v-04.png"]
    assert (done[0].width, done[0].height) == (36, 32)
    beside = json.loads((tmp_path / "out" / "v-03.json").read_text())
    assert beside["medical"]
    assert beside["plane"] == "axial"
    with pytest.raises(OutputError, match="exists"):
        upscale([tmp_path / "v.nii.gz"], tmp_path / "out", NEAREST)
    with pytest.raises(ConfigError, match="12 slices, from 0 to 11"):
        upscale([tmp_path / "v.nii.gz"], tmp_path / "b", NEAREST, slices="40:50")
    with pytest.raises(ConfigError, match="expected all, middle"):
        upscale([tmp_path / "v.nii.gz"], tmp_path / "b", NEAREST, slices="few")
