"""Shapes of tensors: as the file states them, and as ONNX infers them."""

from __future__ import annotations

import contextlib

import onnx
from google.protobuf.message import Message

from rxsim.onnx_graph.constants import is_large

Shape = tuple[int | None, ...]
"""Lengths of a tensor's axes; None for a free one."""


def shape_of(value: onnx.ValueInfoProto) -> Shape | None:
    """Return a value's shape, None for free axes; None where nothing is known."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(
        axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None
        for axis in tensor.shape.dim
    )


def n_entries(shape: Shape | None) -> int | None:
    """Return how many entries a tensor has; None where an axis is free or nothing is known."""
    if shape is None:
        return None
    size = 1
    for length in shape:
        if length is None:
            return None
        size *= length
    return size


def without_large_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose large initializers are graph inputs: all that a shape depends on.

    onnx hands models to its C++ code as bytes, several times over; weights need not go along.
    """
    lean = onnx.ModelProto()
    copy_fields(model, lean, "graph")
    copy_fields(model.graph, lean.graph, "initializer")
    stated = {value.name for value in lean.graph.input}
    for tensor in model.graph.initializer:
        if not is_large(tensor):
            lean.graph.initializer.append(tensor)
        elif tensor.name not in stated:
            lean.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    return lean


def copy_fields(source: Message, target: Message, left_out: str) -> None:
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
