"""Small questions about a graph that every normalisation pass asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper


def constants(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Return the initializers by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


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


def has_subgraph(node: onnx.NodeProto) -> bool:
    """Tell whether a node carries a graph of its own (If, Loop, Scan)."""
    return any(item.HasField("g") or item.graphs for item in node.attribute)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes as Python values."""
    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}


def set_constant(model: onnx.ModelProto, name: str, value: np.ndarray) -> None:
    """Add an initializer under a name that is not taken yet."""
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))


def taken_names(model: onnx.ModelProto) -> set[str]:
    """Return every name of a tensor or a node, those of subgraphs included."""
    graphs = [model.graph]
    taken: set[str] = set()
    while graphs:
        graph = graphs.pop()
        taken.update(tensor.name for tensor in graph.initializer)
        taken.update(value.name for value in graph.input)
        for node in graph.node:
            taken.update([node.name, *node.output])
            for attribute in node.attribute:
                graphs.extend([attribute.g] if attribute.HasField("g") else attribute.graphs)
    return taken


def fresh_name(model: onnx.ModelProto, wanted: str) -> str:
    """Return a tensor name that the model does not use yet."""
    taken = taken_names(model)
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def drop_unused_constants(model: onnx.ModelProto) -> None:
    """Remove initializers that nothing reads any more."""
    used = use_counts(model)
    kept = [tensor for tensor in model.graph.initializer if used[tensor.name]]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def inferred_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with the shapes that ONNX can infer; as it is where ONNX gives up."""
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # onnx raises many types
        return model
