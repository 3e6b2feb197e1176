"""Nodes: their attributes, inner graphs, and who reads which tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import onnx


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes as Python values."""
    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}


def has_subgraph(node: onnx.NodeProto) -> bool:
    """Tell whether a node carries an inner graph (If, Loop, Scan)."""
    return any(item.HasField("g") or item.graphs for item in node.attribute)


def use_counts(
    model: onnx.ModelProto, nodes: Iterable[onnx.NodeProto] | None = None
) -> Counter[str]:
    """Count the uses of every tensor: graph outputs, and inputs of the nodes with their subgraphs.

    Args:
        model: the model.
        nodes: which of its nodes; all of them by default.
    """
    counts: Counter[str] = Counter(output.name for output in model.graph.output)
    _count(model.graph.node if nodes is None else nodes, counts)
    return counts


def _count(nodes: Iterable[onnx.NodeProto], counts: Counter[str]) -> None:
    for node in nodes:
        counts.update(name for name in node.input if name)
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else list(attribute.graphs):
                counts.update(output.name for output in inner.output)
                _count(inner.node, counts)
