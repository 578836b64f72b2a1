"""The stylist: any size comes back in its own size, tiles show no seams, and torch stays out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from brainlens.core.errors import ConfigError, ImageError, OutputError, UserError, WeightsError
from brainlens.deploy.styling import apply_style
from brainlens.deploy.stylist import SHIPPED, Stylist, export, shipped, shrunk
from brainlens.generative.cyclegan import build
from brainlens.generative.styleconfig import StyleConfig, generator_shape
from brainlens.generative.stylegenerators import PAINTING, save_generator
from tests.painters import negative


@pytest.fixture(scope="session")
def inverter(tmp_path_factory: pytest.TempPathFactory) -> Stylist:
    return Stylist(negative(tmp_path_factory.mktemp("style") / "negative.onnx"))


def noise(height: int, width: int) -> np.ndarray[Any, Any]:
    shape = (height, width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 700), st.integers(1, 300))
def test_a_picture_of_any_size_is_painted_whole(inverter: Stylist, height: int, width: int) -> None:
    rgb = noise(height, width)
    assert np.array_equal(inverter.apply(rgb, detail=None, tile=256), 255 - rgb)


def test_strength_blends_from_photo_to_painting(inverter: Stylist) -> None:
    rgb = np.full((9, 9, 3), 200, np.uint8)
    for strength, value in ((0.0, 200), (0.25, 164), (0.5, 128), (1.0, 55)):
        assert (inverter.apply(rgb, strength) == value).all(), strength  # 200 - strength x 145
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match="expected 0"):
            inverter.apply(rgb, wrong)


def test_detail_paints_a_smaller_picture_and_keeps_size_and_aspect(inverter: Stylist) -> None:
    rgb = np.zeros((60, 90, 3), np.uint8)
    rgb[:, 45:] = 255
    assert shrunk(rgb, 20).shape == (20, 30, 3)
    assert shrunk(rgb, 100) is rgb
    painted = inverter.apply(rgb, detail=20)
    assert painted.shape == rgb.shape
    assert (painted[:, :36] > 240).all()
    assert (painted[:, 54:] < 15).all()


def test_what_is_no_picture_is_refused(inverter: Stylist) -> None:
    for wrong in (noise(4, 4)[..., 0], noise(4, 4) / 255, noise(4, 4)[:0], noise(4, 4)[..., :2]):
        with pytest.raises(ImageError, match="uint8, height x width x 3"):
            inverter.apply(wrong)


def test_grey_generators_answer_in_grey(tmp_path: Path) -> None:
    stylist = Stylist(negative(tmp_path / "grey.onnx", grey=True))
    painted = stylist.apply(np.array([[[0, 100, 200]]], np.uint8))
    assert painted.tolist() == [[[155, 155, 155]]]


def test_files_that_are_no_style_are_refused(tmp_path: Path) -> None:
    other = negative(tmp_path / "other.onnx", direction="to_photo")
    with pytest.raises(WeightsError, match=r"the other way \(to_photo\).*--direction photo"):
        Stylist(other)
    assert Stylist(other, direction="to_photo").multiple == 8
    upscaler = negative(tmp_path / "upscaler.onnx", kind="upscaler")
    text = tmp_path / "text.onnx"
    text.write_text("no network")
    for file, message in (
        (upscaler, "is no exported style"), (text, "cannot be read as"),
        (tmp_path / "none.onnx", "no such file"), (tmp_path, "no such file"),
    ):  # fmt: skip
        with pytest.raises(WeightsError, match=message):
            Stylist(file)


@pytest.mark.parametrize("light", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_an_exported_generator_draws_what_torch_draws(tmp_path: Path, light: bool) -> None:
    torch.manual_seed(0)
    config = StyleConfig(light=light, width=4, depth=3, crop=32, load=32, load_least=32)
    network = build(generator_shape(config)).eval()
    for parameter in network.parameters():
        parameter.data = parameter.data.half().float() * 8  # as the file will hold them; lively
    file = tmp_path / "to_painting.safetensors"
    save_generator(file, network, config, direction=PAINTING, step=1, data={})
    export(tmp_path, tmp_path / "to_painting.onnx")
    stylist = Stylist(tmp_path)
    x = np.random.default_rng(0).uniform(-1, 1, (1, 3, 40, 56)).astype(np.float32)
    with torch.inference_mode():
        wanted = network(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(stylist.drawn(x), wanted, atol=2e-4)
    assert np.std(wanted) > 0.05
    assert stylist.meaning["steps"] == 1


def test_alpha_stays_and_colour_comes_to_grey(tmp_path: Path, inverter: Stylist) -> None:
    pixels = np.dstack([noise(12, 10), np.full((12, 10), 77, np.uint8)])
    Image.fromarray(pixels).save(tmp_path / "alpha.png")
    Image.fromarray(np.full((12, 10), 5, np.uint8)).save(tmp_path / "grey.png")
    deep = np.linspace(0, 65535, 120).astype(np.uint16).reshape(12, 10)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    done, unreadable = apply_style([tmp_path], tmp_path / "out", inverter, sheet=True)
    assert (len(done), unreadable) == (3, [])
    with Image.open(tmp_path / "out/alpha.png") as image:
        alpha = np.asarray(image)
    assert np.array_equal(alpha[..., :3], 255 - pixels[..., :3])
    assert (alpha[..., 3] == 77).all()
    with Image.open(tmp_path / "out/grey.png") as image:
        assert (np.asarray(image) == 250).all()
        assert json.loads(image.info["Comment"])["digest"] == inverter.digest
    with Image.open(tmp_path / "out/deep.png") as image:
        assert np.asarray(image)[0, 0].tolist() == [255] * 3
    with Image.open(tmp_path / "out/sheet.png") as image:
        assert image.width == 10 + 6 + 10  # two panels and the gap
    with pytest.raises(OutputError, match="exists"):
        apply_style([tmp_path / "grey.png"], tmp_path / "out", inverter)


def test_broken_pictures_are_named_and_left_out(tmp_path: Path, inverter: Stylist) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="broken"):
        apply_style([tmp_path / "broken.png"], tmp_path / "out", inverter)
    Image.fromarray(noise(5, 5)).save(tmp_path / "whole.png")
    done, unreadable = apply_style([tmp_path], tmp_path / "out", inverter)
    assert [one.path.name for one in done] == ["whole.png"]
    assert "broken.png" in str(unreadable[0])


def test_scans_are_not_painted(tmp_path: Path, inverter: Stylist) -> None:
    (tmp_path / "scan.dcm").write_bytes(b"\0" * 128 + b"DICM")
    with pytest.raises(UserError, match=r"scan\.dcm: is a scan; expected a picture"):
        apply_style([tmp_path / "scan.dcm"], tmp_path / "out", inverter)


def test_a_small_generator_comes_with_the_package_and_its_record() -> None:
    file = shipped()
    if not file.is_file():
        pytest.skip(f"no {SHIPPED} in this copy: python -m tools.ship_style RUN puts it there")
    assert file.stat().st_size <= 10 * 2**20
    assert b"site-packages" not in file.read_bytes()  # no path of the machine it was made on
    record = json.loads(file.with_suffix(".json").read_text("utf-8"))
    stylist = Stylist()
    assert record["digest"] == stylist.digest
    assert record["steps"] == stylist.meaning["steps"]
    assert stylist.meaning["shape"]["light"]
    rgb = np.asarray(Image.fromarray(noise(6, 8)).resize((80, 60), Image.Resampling.BICUBIC))
    painted = stylist.apply(rgb)
    assert painted.shape == rgb.shape
    assert np.abs(painted.astype(int) - rgb).mean() > 3, "it changes what it is given"


def test_applying_a_style_needs_no_torch(tmp_path: Path) -> None:
    file = negative(tmp_path / "negative.onnx")
    Image.fromarray(noise(9, 9)).save(tmp_path / "a.png")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        f"sys.argv = ['brainlens', 'style', 'apply', {str(tmp_path / 'a.png')!r}, '-o', "
        f"{str(tmp_path / 'out')!r}, '--weights', {str(file)!r}]\n"
        "from brainlens.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env=os.environ)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "a.png\t9 x 9" in done.stdout
