"""The network equals independent ones, and takes the public checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from spandrel import ModelLoader

from brainlens.generative.generators import open_generator
from brainlens.generative.rrdb import (
    RRDBNet,
    build,
    halved,
    initialise,
    interpolate,
    modern_names,
)


def plain(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The paper's figure 4 written down as formulas, no module of ours."""
    state = {key: value.float() for key, value in state.items()}

    def conv(name: str, h: torch.Tensor) -> torch.Tensor:
        return F.conv2d(h, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    blocks = 1 + max(int(k.split(".")[1]) for k in state if k.startswith("body"))
    first = h = conv("conv_first", x)
    for block in range(blocks):
        outer = h
        for dense in (1, 2, 3):
            inner, seen = h, h
            for k in (1, 2, 3, 4):
                new = F.leaky_relu(conv(f"body.{block}.rdb{dense}.conv{k}", seen), 0.2)
                seen = torch.cat([seen, new], 1)
            h = conv(f"body.{block}.rdb{dense}.conv5", seen) * 0.2 + inner
        h = h * 0.2 + outer
    h = first + conv("conv_body", h)
    for name in ("conv_up1", "conv_up2"):
        h = h.repeat_interleave(2, 2).repeat_interleave(2, 3)
        h = F.leaky_relu(conv(name, h), 0.2)
    return conv("conv_last", F.leaky_relu(conv("conv_hr", h), 0.2))


def test_output_equals_the_formulas_and_spandrel_s_network(shared: Path) -> None:
    file = shared / "weights" / "rrdb_x4.realsr_df2k.safetensors"
    x = np.random.default_rng(0).uniform(0, 1, (20, 16, 3)).astype(np.float32)
    ours = open_generator(weights=file).enlarge(x)
    tensor = torch.from_numpy(x.transpose(2, 0, 1))[None]
    state = load_file(file)
    with torch.inference_mode():
        formulas = plain(state, tensor)[0].numpy().transpose(1, 2, 0)
        theirs = ModelLoader().load_from_state_dict({k: v.float() for k, v in state.items()})
        spandrel = theirs.model.eval()(tensor)[0].numpy().transpose(1, 2, 0)
    assert ours.shape == (80, 64, 3)
    np.testing.assert_allclose(ours, formulas, atol=1e-3)
    np.testing.assert_allclose(ours, spandrel, atol=1e-3)


def test_names_of_the_first_release_are_understood() -> None:
    torch.manual_seed(0)
    network = RRDBNet(blocks=2, features=8)
    state = network.state_dict()
    old = ModelLoader().load_from_state_dict(dict(state)).model.state_dict()
    assert "model.0.weight" in old
    renamed = modern_names(old)
    assert renamed.keys() == state.keys()
    assert all(torch.equal(renamed[key], state[key]) for key in state)


def test_interpolated_weights_lie_between() -> None:
    a, b = {"w": torch.tensor([0.0, 4.0])}, {"w": torch.tensor([1.0, 0.0])}
    assert interpolate(a, b, 0.25)["w"].tolist() == [0.25, 3.0]
    with pytest.raises(ValueError, match="same shape"):
        interpolate(a, {"v": torch.zeros(2)}, 0.5)


def test_a_small_network_starts_from_a_deep_one() -> None:
    torch.manual_seed(0)
    deep = RRDBNet(blocks=7, features=8)
    small = RRDBNet(blocks=3, features=8)
    initialise(small, deep.state_dict())
    own, theirs = small.state_dict(), deep.state_dict()
    assert torch.equal(own["conv_last.weight"], theirs["conv_last.weight"])
    for block, source in ((0, 0), (1, 3), (2, 6)):
        name = "rdb2.conv3.weight"
        assert torch.equal(own[f"body.{block}.{name}"], theirs[f"body.{source}.{name}"])


def test_a_network_is_built_in_the_shape_of_its_weights() -> None:
    network = RRDBNet(blocks=2, features=16, growth=8, channels=1, doublings=1)
    again = build(network.state_dict())
    x = torch.rand(1, 1, 6, 5)
    with torch.no_grad():
        assert again(x).shape == (1, 1, 12, 10)
        assert torch.equal(again(x), network(x))


def test_in_bf16_only_the_ends_stay_fp32_and_a_picture_hardly_changes(
    small_weights: Path,
) -> None:
    state = load_file(small_weights)
    exact, half = build(state), halved(build(state))
    x = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one, other = exact(x), half(x)
    kept = {name for name, value in half.named_parameters() if value.dtype == torch.float32}
    assert {name.split(".")[0] for name in kept} == {"conv_first", "conv_last"}
    assert other.dtype == torch.float32
    # bf16 has 8 binary digits: each number of the features is right to 1 part in 256.
    assert float((one - other).abs().max()) < 0.02 * float(one.abs().max())
    assert not torch.equal(one, other)
