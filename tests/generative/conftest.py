"""Small generators and pictures that every test of this folder may use."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from brainlens.generative.rrdb import RRDBNet, initialise


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator of one block with lively weights, as a checkpoint file."""
    torch.manual_seed(0)
    network = RRDBNet(blocks=1, features=8)
    initialise(network)
    for parameter in network.parameters():
        parameter.data *= 6
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(network.state_dict(), path)
    return path
