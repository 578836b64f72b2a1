"""Owns the exported generator: an ONNX file of any picture size, and OpenVINO to run it.

Enters: a checkpoint that `generators.py` takes. Leaves: `*.onnx` with its scale, channels, source
and mark in the metadata; or a Generator over such a file, which needs no torch: for the web app.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from brainlens import __version__
from brainlens.core.errors import WeightsError
from brainlens.core.files import replacing
from brainlens.core.processors import Precision, choose_precision, threads_for
from brainlens.deploy.graphs import bare
from brainlens.generative.generators import Generator, load_network, through_channels, weights_file

Array = np.ndarray[Any, Any]
_KEY = "brainlens"
_MARK = "Enhanced pictures, not for diagnosis"


def export(weights: Path | None, out: Path, *, scale: int = 4) -> Path:
    """Write a checkpoint as ONNX with free height and width; raises WeightsError."""
    import onnx
    import torch

    file = weights_file(weights)
    network, channels = load_network(file, scale)
    example = torch.zeros(1, channels, 24, 20)
    free = {2: torch.export.Dim("height", min=4), 3: torch.export.Dim("width", min=4)}
    with replacing(out) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of its own future
        program = torch.onnx.export(
            network, (example,), dynamo=True, verbose=False, dynamic_shapes=(free,),
            input_names=["picture"], output_names=["enlarged"], external_data=False,
        )  # fmt: skip
        assert program is not None
        model = bare(program.model_proto)
        meaning = {
            "kind": "upscaler",
            "scale": scale,
            "channels": channels,
            "weights": file.name,
            "weights_digest": hashlib.sha256(file.read_bytes()).hexdigest(),
            "mark": _MARK,
            "brainlens": __version__,
        }
        onnx.helper.set_model_props(model, {_KEY: json.dumps(meaning)})
        onnx.save(model, str(temporary))
    return out


def open_exported(
    file: Path, scale: int = 4, *, threads: int = 0, precision: Precision = "32-true"
) -> Generator:
    """A Generator over an exported file; raises WeightsError for any other file.

    `precision` "auto" is bf16 where the processor has it.
    """
    meaning = _meaning(file)
    if meaning["scale"] != scale:
        raise WeightsError(f"{file}: enlarges {meaning['scale']} times, not {scale}. See --scale")
    import openvino

    used = choose_precision(precision, "cpu")
    hint = "bf16" if used == "bf16-mixed" else "f32"
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint}
    if many := threads_for(threads):
        options["INFERENCE_NUM_THREADS"] = many
    compiled = openvino.compile_model(str(file), "CPU", options)

    def forward(x: Array) -> Array:
        return np.array(compiled(x)[0])  # a copy: OpenVINO writes the next answer over it

    enlarge = partial(through_channels, forward, meaning["channels"])
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Generator("esrgan", file.name, digest, scale, enlarge, precision=used)


def _meaning(file: Path) -> dict[str, Any]:
    """What the export wrote about itself."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load(str(file), load_external_data=False)
        found = {entry.key: entry.value for entry in model.metadata_props}
        meaning: dict[str, Any] = json.loads(found[_KEY])
        if meaning["kind"] != "upscaler":
            raise KeyError("kind")
        return meaning
    except FileNotFoundError:
        raise WeightsError(f"{file}: no such file; expected an exported generator") from None
    except (DecodeError, KeyError, ValueError, OSError):
        raise WeightsError(
            f"{file}: is no exported generator. Make one: brainlens upscale export -o {file.name}"
        ) from None
