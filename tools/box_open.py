"""Makes an export a run again: `python -m tools.box_open MODEL.onnx INDEX OUTLINES DENSE PLAIN`.

MODEL.onnx is a box's, of one dense network and a plain one; INDEX and OUTLINES are what it learned
from. Writes the run folders DENSE and PLAIN with its weights (of 16 bits, as the export has them),
so that they can be asked beside other networks where the runs they came from are gone. What batches
normalised is folded into the convolutions there, and stays so. Nothing is kept that does not answer
the validation images as the export does.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from brainlens.classify.config import TrainConfig
from brainlens.classify.dense import DenseClassifier
from brainlens.classify.network import Architecture, Network, architecture_of, build, save
from brainlens.core.config import resolve, to_toml
from brainlens.core.errors import BrainlensError
from brainlens.core.files import write_atomic, write_json
from brainlens.data.index import Index, read_index, write_index
from brainlens.data.pictures import pictures
from brainlens.data.preprocess import Array, Preprocessing
from brainlens.deploy.classifier import Classifier
from brainlens.recipes import read_recipe

LIMIT = 0.01  # the largest difference of a logit between the networks and the export
_COMPANION = "companion.members.0.network."
# Numbers of the dense head that stand in the graph by themselves, in their order.
_LONE = {"scale": ("select", "select_1"), "trust": tuple(f"select_{i}" for i in range(4, 9))}


def main() -> None:
    """Open, compare, write."""
    model, index, outlines, dense, plain = map(Path, sys.argv[1:])
    kept, table = Classifier(model), read_index(index)
    if table.digest() != kept.meaning["index"]["digest"]:
        raise BrainlensError(f"{index}: is not the index that {model} learned from")
    shape = architecture_of(kept.meaning["architecture"])
    weights = _weights(model)
    network = build(shape, len(kept.labels))
    assert isinstance(network, DenseClassifier)
    fill(network, weights)
    apart = _difference(network, kept, table)
    if apart > LIMIT:
        raise BrainlensError(f"{model}: its networks answer otherwise by {apart:.2g}; not written")
    assert network.companion is not None
    plain_network = cast(Network, network.companion.members[0].network)
    network.companion = None
    record = {
        "kind": "run", "command": "python -m tools.box_open " + " ".join(sys.argv[1:]),
        "seed": kept.meaning["provenance"]["seed"], "index": kept.meaning["index"],
        "started": kept.meaning["provenance"]["started"], "opened": {"largest difference": apart},
    }  # fmt: skip
    (second,) = shape.second
    small = dataclasses.replace(kept.preprocessing, size=second.size)
    learned = {"partial": shape.partial, "outlines": str(outlines)}
    alone = dataclasses.replace(shape, second=())
    _write(dense, network, ("default", learned), alone, kept.preprocessing, kept, record, table)
    learned = {"partial": shape.partial}
    _write(plain, plain_network, ("lite0", learned), second, small, kept, record, table)
    print(f"wrote {dense} and {plain}; a logit differs by {apart:.2g} at most")


def fill(network: DenseClassifier, weights: dict[str, Array]) -> None:
    """Give a freshly drawn network the export's weights; raises BrainlensError if one lacks."""
    state = network.state_dict()
    for layer, norm in _normalised(network):
        bias = torch.from_numpy(weights[f"{layer}.weight_bias"])
        state[f"{norm}.bias"] = bias
        state[f"{norm}.weight"] = torch.ones_like(bias)
        state[f"{norm}.running_mean"] = torch.zeros_like(bias)
        state[f"{norm}.running_var"] = torch.full_like(bias, 1 - _epsilon(network, norm))
    normed = {norm for _, norm in _normalised(network)}
    for name in state:
        layer = name.rpartition(".")[0]
        if layer == "context":  # the export has none: nobody asks it
            state[name] = torch.zeros_like(state[name])
        elif name in _LONE:
            state[name] = torch.tensor([float(weights[one]) for one in _LONE[name]])
        elif layer not in normed:
            state[name] = torch.from_numpy(weights[name]).float()
    network.load_state_dict(state)
    network.eval()


def _normalised(network: nn.Module) -> list[tuple[str, str]]:
    """Each normalised convolution and what normalises it, which is defined after it."""
    pairs, last = [], ""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            last = name
        elif isinstance(module, nn.BatchNorm2d):
            pairs.append((last, name))
    return pairs


def _epsilon(network: nn.Module, name: str) -> float:
    return float(network.get_submodule(name).eps)  # type: ignore[arg-type]


def _weights(model: Path) -> dict[str, Array]:
    """The export's constants by the names of the network's parameters."""
    found = onnx.load(model).graph.initializer
    return {
        one.name.removeprefix("network.").removesuffix("/half"): numpy_helper.to_array(one).copy()
        for one in found
    }


def _difference(network: DenseClassifier, kept: Classifier, table: Index) -> float:
    """The largest of a logit, over the validation images."""
    rows = [row for row in table.of("val") if row.label in kept.labels]
    seen = pictures(table, rows, kept.preprocessing)
    batches = np.split(np.asarray(seen), range(16, len(seen), 16))
    with torch.inference_mode():
        own = [network(torch.from_numpy(kept.preprocessing.tensor(some))) for some in batches]
    return float(np.abs(torch.cat(own).numpy() - kept.run(seen)[0]).max())


def _write(
    folder: Path, network: Network, recipe: tuple[str, dict[str, str]], shape: Architecture,
    shown: Preprocessing, kept: Classifier, record: dict[str, Any], index: Index,
) -> None:  # fmt: skip
    """A run folder, as `train` leaves one."""
    folder.mkdir(parents=True)
    save(
        folder / "model.safetensors", network, labels=kept.labels, preprocessing=shown,
        architecture=shape, facts={},
    )  # fmt: skip
    name, settings = recipe
    config = resolve(TrainConfig, read_recipe(name), settings)
    write_atomic(folder / "config.toml", to_toml(config))
    write_json(folder / "provenance.json", record)
    write_index(index.rows, index.folder, folder / "index.csv")


if __name__ == "__main__":
    main()
