"""Owns how weights are stored in an ONNX graph that counts in 32 bits: in 16, or the most in 8.

Weight-only quantisation, symmetric, with a scale for each output channel (Nagel et al. 2021, arXiv
2106.08295). Of 8 bits are the weights of 1x1 convolutions and matrix products: nearly all there
are. A depthwise channel has too few to share a scale. What is stored is made 32 bits again by nodes
on constants, which a runtime works out once, as it opens the file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from brainlens.data.preprocess import Array

_SMALL = 256  # numbers: fewer stay as they are
_FEW = 32  # numbers to a channel: fewer are worth no scale


def stored(graph: Any, *, eight: bool) -> None:
    """Change the graph's large weights in place: 8 bits where that serves, 16 elsewhere."""
    import onnx
    from onnx import TensorProto, numpy_helper

    matrices = _matrices(graph)
    opened: list[Any] = []
    scales: list[Any] = []
    for weight in graph.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < _SMALL:
            continue
        values = numpy_helper.to_array(weight)
        name = weight.name
        if eight and name in matrices and values[0].size >= _FEW:
            small, scale = quantised(values)
            weight.CopyFrom(numpy_helper.from_array(small, f"{name}/int8"))
            scales.append(numpy_helper.from_array(scale, f"{name}/scale"))
            opened += [_cast(f"{name}/int8", f"{name}/cast"), _times(name)]
        elif np.abs(values).max() <= np.finfo(np.float16).max:
            half = numpy_helper.from_array(values.astype(np.float16), f"{name}/half")
            weight.CopyFrom(half)
            opened.append(_cast(f"{name}/half", name))
    rest = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend([*opened, *rest])
    graph.graph.initializer.extend(scales)
    del graph.graph.value_info[:]
    onnx.checker.check_model(graph)


def quantised(values: Array) -> tuple[Array, Array]:
    """Weights (O, ...) as int8 and the scale of each output channel (O, 1, ...) float32."""
    top = np.abs(values).max(tuple(range(1, values.ndim)), keepdims=True)
    scale = np.where(top > 0, top / 127, 1).astype(np.float32)
    return np.rint(values / scale).astype(np.int8), scale


def _matrices(graph: Any) -> set[str]:
    """Names of the weights whose first axis is the output's and that mix many inputs."""
    shapes = {one.name: tuple(one.dims) for one in graph.graph.initializer}
    found = set()
    for node in graph.graph.node:
        if node.op_type not in ("Conv", "Gemm"):
            continue
        shape = shapes.get(node.input[1], ())
        turned = any(a.name == "transB" and a.i == 1 for a in node.attribute)
        if (node.op_type == "Conv" and shape[2:] == (1, 1)) or (node.op_type == "Gemm" and turned):
            found.add(node.input[1])
    return found


def _cast(given: str, made: str) -> Any:
    from onnx import TensorProto, helper

    return helper.make_node("Cast", [given], [made], to=TensorProto.FLOAT)


def _times(name: str) -> Any:
    from onnx import helper

    return helper.make_node("Mul", [f"{name}/cast", f"{name}/scale"], [name])
