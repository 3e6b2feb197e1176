"""Graphs inside nodes: the branches of If, the bodies of Loop and Scan."""

from __future__ import annotations

from collections.abc import Iterator

import onnx


def inner_graphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """Return the graphs that a node carries; they are part of it, not copies."""
    graphs: list[onnx.GraphProto] = []
    for attribute in node.attribute:
        graphs.extend([attribute.g] if attribute.HasField("g") else attribute.graphs)
    return graphs


def all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph and every graph inside it, outer ones first, in the order of their nodes."""
    yield graph
    for node in graph.node:
        for inner in inner_graphs(node):
            yield from all_graphs(inner)


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield every node, a node before those inside it, in topological order."""
    for node in graph.node:
        yield node
        for inner in inner_graphs(node):
            yield from all_nodes(inner)
