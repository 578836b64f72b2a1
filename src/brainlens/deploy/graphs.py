"""Owns what an exported ONNX graph does not carry: the source lines that torch's exporter notes,
and what it would work out twice."""

from __future__ import annotations

from typing import Any


def bare(graph: Any) -> Any:
    """The same graph without its nodes' remarks: paths of this machine, of use to nobody."""
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        del value.metadata_props[:]
    del graph.graph.metadata_props[:]
    return graph


def merged(graph: Any) -> Any:
    """The same graph, in which nothing is worked out twice: networks may share their first stages.

    Nodes that do the same with the same inputs become one (common subexpressions).
    """
    same: dict[str, str] = {}  # names, by the name that stands for them
    own = graph.graph
    first: dict[Any, Any] = {}
    for weight in list(own.initializer):
        name = weight.name
        weight.name = ""
        kept = first.setdefault(weight.SerializeToString(), name)
        weight.name = name
        if kept != name:
            same[name] = kept
            own.initializer.remove(weight)
    answers = {one.name for one in own.output}
    for node in list(own.node):
        node.input[:] = [same.get(name, name) for name in node.input]
        made, name = list(node.output), node.name
        if answers & set(made):
            continue
        del node.output[:]
        node.name = ""
        kept = first.setdefault(node.SerializeToString(), made)
        node.output[:], node.name = made, name
        if kept is not made:
            same |= zip(made, kept, strict=True)
            own.node.remove(node)
    del own.value_info[:]
    return graph
