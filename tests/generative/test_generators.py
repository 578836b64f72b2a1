"""Checkpoints: every dialect is taken, everything else refused in one line."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from brainlens.core.errors import ConfigError, WeightsError
from brainlens.generative.generators import open_generator
from brainlens.generative.rrdb import RRDBNet


def test_dialects_of_one_network_give_one_picture(small_weights: Path, tmp_path: Path) -> None:
    from spandrel import ModelLoader

    state = load_file(small_weights)
    torch.save({"params_ema": state}, tmp_path / "new.pth")
    old = ModelLoader().load_from_state_dict(dict(state)).model.state_dict()
    torch.save(old, tmp_path / "old.pth")
    half = {key: value.half() for key, value in state.items()}
    save_file(half, tmp_path / "half.safetensors")
    x = np.random.default_rng(0).uniform(0, 1, (9, 7, 3)).astype(np.float32)
    expected = open_generator(weights=small_weights).enlarge(x)
    for name in ("new.pth", "old.pth"):
        done = open_generator(weights=tmp_path / name).enlarge(x)
        np.testing.assert_allclose(done, expected, atol=1e-5)
    half_done = open_generator(weights=tmp_path / "half.safetensors").enlarge(x)
    np.testing.assert_allclose(half_done, expected, atol=0.05)


def test_grey_is_the_mean_of_what_three_grey_channels_become(small_weights: Path) -> None:
    generator = open_generator(weights=small_weights)
    grey = np.random.default_rng(0).uniform(0, 1, (8, 8, 1)).astype(np.float32)
    expected = generator.enlarge(np.repeat(grey, 3, 2)).mean(2, keepdims=True)
    np.testing.assert_allclose(generator.enlarge(grey), expected, atol=1e-5)


def test_a_generator_of_another_scale_is_refused(tmp_path: Path) -> None:
    double = RRDBNet(blocks=1, features=8, doublings=1)
    save_file(double.state_dict(), tmp_path / "x2.safetensors")
    with pytest.raises(WeightsError, match=r"x2\.safetensors: enlarges 2 times; expected.* 4"):
        open_generator(weights=tmp_path / "x2.safetensors")
    assert open_generator(weights=tmp_path / "x2.safetensors", scale=2).scale == 2


def test_what_is_no_generator_is_refused(tmp_path: Path) -> None:
    cases: dict[str, object] = {
        "other.safetensors": {"head.weight": torch.zeros(3)},
        "broken.safetensors": b"not safetensors",
        "broken.pth": b"not torch",
        "number.pth": 5,
        "empty.pth": {"epoch": 3},
    }
    for name, content in cases.items():
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif name.endswith("safetensors"):
            save_file(content, path)  # type: ignore[arg-type]
        else:
            torch.save(content, path)
        with pytest.raises(WeightsError) as caught:
            open_generator(weights=path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code of a checkpoint ran')",))


def test_code_in_a_checkpoint_never_runs(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    path.write_bytes(pickle.dumps({"conv_first.weight": _Bomb()}))
    with pytest.raises(WeightsError, match="bomb"):
        open_generator(weights=path)


def test_a_gpu_that_is_not_there_is_refused(small_weights: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ConfigError, match="sees no GPU"):
        open_generator(weights=small_weights, device="cuda")


def test_missing_weights_name_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINLENS_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"rrdb_x4.*BRAINLENS_WEIGHTS.*--weights"):
        open_generator()
    with pytest.raises(WeightsError, match="no such weights file"):
        open_generator(weights=tmp_path / "absent.pth")


def test_bf16_is_chosen_where_the_processor_has_it_and_told(
    small_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from brainlens.core import processors

    monkeypatch.setattr(processors, "multiplies_bf16", lambda: True)
    assert open_generator(weights=small_weights, precision="auto").precision == "bf16-mixed"
    assert open_generator(weights=small_weights).precision == "32-true"
    monkeypatch.setattr(processors, "multiplies_bf16", lambda: False)
    assert open_generator(weights=small_weights, precision="auto").precision == "32-true"
