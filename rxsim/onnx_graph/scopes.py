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


def defined_names(graph: onnx.GraphProto) -> set[str]:
    """Return the names of the tensors that a graph makes or is given, without its inner graphs."""
    names = {tensor.name for tensor in graph.initializer}
    names.update(value.name for value in graph.input)
    for node in graph.node:
        names.update(node.output)
    return names - {""}


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


def nodes_with_holders(
    graph: onnx.GraphProto, holders: tuple[str, ...] = ()
) -> Iterator[tuple[onnx.NodeProto, tuple[str, ...]]]:
    """Yield every node, in topological order, with the types of the nodes that it stands in."""
    for node in graph.node:
        yield node, holders
        for inner in inner_graphs(node):
            yield from nodes_with_holders(inner, (*holders, node.op_type))
