"""A graph in which nothing is worked out twice answers as before."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from brainlens.deploy.graphs import merged

FLOATS = TensorProto.FLOAT


def graph() -> Any:
    """Two branches that begin alike, with weights of their own, and then part."""
    nodes = []
    for branch, slope in (("a", 2.0), ("b", 3.0)):
        nodes += [
            helper.make_node("Mul", ["x", f"{branch}/w"], [f"{branch}/m"], f"{branch}/first"),
            helper.make_node("Relu", [f"{branch}/m"], [f"{branch}/r"]),
            helper.make_node("LeakyRelu", [f"{branch}/m"], [f"{branch}/l"], alpha=slope / 10),
            helper.make_node("Add", [f"{branch}/r", f"{branch}/l"], [branch]),
        ]
    weights = [numpy_helper.from_array(np.array([1, -2], np.float32), f"{b}/w") for b in "ab"]
    shape = [helper.make_tensor_value_info(name, FLOATS, [2]) for name in "xab"]
    return helper.make_model(
        helper.make_graph(nodes, "two", shape[:1], shape[1:], weights),
        opset_imports=[helper.make_opsetid("", 18)], ir_version=9,
    )  # fmt: skip


def answers(model: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return list(session.run(["a", "b"], {"x": np.array([3, 5], np.float32)}))


def test_what_two_branches_share_is_worked_out_once_and_what_they_do_not_twice() -> None:
    before, made = graph(), merged(graph())
    kinds = [node.op_type for node in made.graph.node]
    assert sorted(kinds) == ["Add", "Add", "LeakyRelu", "LeakyRelu", "Mul", "Relu"]
    assert len(made.graph.initializer) == 1
    onnx.checker.check_model(made)
    np.testing.assert_array_equal(answers(made), answers(before))


def test_answers_keep_their_names_though_they_are_the_same() -> None:
    twin = graph()
    for node in twin.graph.node:
        for attribute in node.attribute:
            attribute.f = 0.5
    made = merged(twin)
    assert [one.name for one in made.graph.output] == ["a", "b"]
    first, second = answers(made)
    np.testing.assert_array_equal(first, second)
    assert len(made.graph.node) == 5  # the two last are answers
