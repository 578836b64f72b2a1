"""The exported generator is the one that was exported, at any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainlens.core.errors import WeightsError
from brainlens.deploy.upscaler import export, open_exported
from brainlens.generative.generators import open_generator


@pytest.fixture(scope="module")
def exported(small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(small_weights, tmp_path_factory.mktemp("export") / "small.onnx")


@pytest.mark.parametrize("shape", [(24, 20, 3), (7, 33, 3), (16, 16, 1)])
def test_every_size_gives_what_torch_gives(
    exported: Path, small_weights: Path, shape: tuple[int, ...]
) -> None:
    x = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
    expected = open_generator(weights=small_weights).enlarge(x)
    done = open_exported(exported).enlarge(x)
    assert done.shape == (shape[0] * 4, shape[1] * 4, shape[2])
    np.testing.assert_allclose(done, expected, atol=1e-3)


def test_what_a_processor_chooses_by_itself_stays_near_fp32(exported: Path) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (16, 16, 3)).astype(np.float32)
    exact, chosen = (open_exported(exported, precision=p) for p in ("32-true", "auto"))
    assert exact.precision == "32-true"
    largest = np.abs(exact.enlarge(x)).max()
    np.testing.assert_allclose(chosen.enlarge(x), exact.enlarge(x), atol=0.02 * largest)


def test_an_answer_outlives_the_next_one(exported: Path) -> None:
    generator = open_exported(exported)
    first = generator.enlarge(np.full((8, 8, 3), 0.2, np.float32))
    kept = first.copy()
    generator.enlarge(np.full((8, 8, 3), 0.9, np.float32))
    np.testing.assert_array_equal(first, kept)


def test_other_files_and_scales_are_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="enlarges 4 times, not 2"):
        open_exported(exported, 2)
    (tmp_path / "b.onnx").write_bytes(b"nothing")
    for name in ("b.onnx", "absent.onnx"):
        with pytest.raises(WeightsError, match=name):
            open_exported(tmp_path / name)
