"""Small questions about a graph that every normalisation pass asks."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import Message
from onnx import numpy_helper

_SMALL = 1024


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
    if value.dtype.isbuiltin != 1 or value.dtype.kind not in "fiub":
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return
    # As numpy_helper.from_array does, without copying the values once more.
    stored = model.graph.initializer.add()
    stored.name = name
    stored.data_type = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    stored.dims.extend(value.shape)
    stored.raw_data = value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()


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


def fresh_name(taken: set[str], wanted: str) -> str:
    """Return a name that is not taken yet, and take it (see `taken_names`)."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    taken.add(name)
    return name


def drop_unused_constants(model: onnx.ModelProto) -> None:
    """Remove initializers that nothing reads any more."""
    used = use_counts(model)
    remove_constants(model, lambda tensor: not used[tensor.name])


def remove_constants(model: onnx.ModelProto, unwanted: Callable[[onnx.TensorProto], bool]) -> None:
    """Remove some initializers, in place; the others are not copied."""
    held = model.graph.initializer
    for place in range(len(held) - 1, -1, -1):
        if unwanted(held[place]):
            del held[place]


def is_large(tensor: onnx.TensorProto) -> bool:
    """Tell whether a tensor holds more values than shapes, axes or pads ever need."""
    return math.prod(tensor.dims) > _SMALL


def without_large_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose large initializers are graph inputs: all that a shape depends on.

    onnx hands models to its C++ code as bytes, several times over; weights need not go along.
    """
    lean = onnx.ModelProto()
    _copy_fields(model, lean, "graph")
    _copy_fields(model.graph, lean.graph, "initializer")
    stated = {value.name for value in lean.graph.input}
    for tensor in model.graph.initializer:
        if not is_large(tensor):
            lean.graph.initializer.append(tensor)
        elif tensor.name not in stated:
            lean.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    return lean


def _copy_fields(source: Message, target: Message, left_out: str) -> None:
    """Copy a message but for one field."""
    for descriptor, value in source.ListFields():
        if descriptor.name == left_out:
            continue
        if isinstance(value, str | bytes | int | float):
            setattr(target, descriptor.name, value)
        else:
            getattr(target, descriptor.name).MergeFrom(value)


def inferred_values(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return every value of the main graph whose type ONNX can infer; as stated where it gives up."""
    lean = without_large_constants(model)
    with contextlib.suppress(Exception):  # onnx raises many types
        lean = onnx.shape_inference.infer_shapes(lean, data_prop=True)
    return [*lean.graph.value_info, *lean.graph.input, *lean.graph.output]
