"""A style export whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper


def negative(path: Path, **meaning: Any) -> Path:
    """It turns white into black."""
    free: list[str | int | None] = ["n", 3, "h", "w"]
    graph = helper.make_graph(
        [helper.make_node("Neg", ["picture"], ["drawn"])], "negative",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, free)],
        [helper.make_tensor_value_info("drawn", TensorProto.FLOAT, free)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    about = {"kind": "style", "direction": "to_painting", "multiple": 8, "grey": False} | meaning
    helper.set_model_props(model, {"brainlens": json.dumps(about)})
    onnx.save(model, str(path))
    return path
