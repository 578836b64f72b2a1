"""Owns what an exported ONNX graph does not carry: the source lines that torch's exporter notes."""

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
