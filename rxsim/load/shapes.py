"""Tensor shapes for one sample: what multiply-accumulate counts are made of."""

from __future__ import annotations

import onnx

from rxsim.load.graph import constants, inferred_values, without_large_constants
from rxsim.load.layers import MATRIX_OPS

Shape = tuple[int | None, ...]


def shape_of(value: onnx.ValueInfoProto) -> Shape | None:
    """Return a value's shape, None for free axes; None where nothing is known."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(
        axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None
        for axis in tensor.shape.dim
    )


def macs_by_node(model: onnx.ModelProto, inputs: dict[str, tuple[int, ...]]) -> dict[str, int]:
    """Count the multiply-accumulates of every matrix node for the given input shapes.

    A model that prescribes its batch size is counted at that size, and its share taken.

    Args:
        model: the normalised graph.
        inputs: shape of each network input, batch axis of one sample included.

    Returns:
        Counts by node name; a node whose shapes can't be inferred is left out.
    """
    fixed = without_large_constants(model)
    given, prescribed = 1, 1
    for value in fixed.graph.input:
        axes = value.type.tensor_type.shape.dim
        for place, (axis, length) in enumerate(zip(axes, inputs.get(value.name, ()), strict=False)):
            if place == 0 and axis.dim_value > 0:
                given, prescribed = length, axis.dim_value
                continue
            axis.Clear()
            axis.dim_value = length
    del fixed.graph.value_info[:]
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    shapes: dict[str, Shape | None] = {
        value.name: shape_of(value) for value in inferred_values(fixed)
    }
    shapes.update({name: tuple(tensor.dims) for name, tensor in constants(model).items()})
    counts: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type in MATRIX_OPS:
            count = _macs(node, shapes)
            if count is not None:
                counts[node.name] = count * given // prescribed
    return counts


def _macs(node: onnx.NodeProto, shapes: dict[str, Shape | None]) -> int | None:
    """Multiply-accumulates of one node: the size of a result times the terms of each entry."""
    weight = _product(shapes.get(node.input[1]))
    weight_shape = shapes.get(node.input[1])
    data = shapes.get(node.input[0])
    result = shapes.get(node.output[0])
    if weight is None or weight_shape is None or data is None:
        return None
    if node.op_type == "ConvTranspose":  # every input entry meets a row of the weights
        size = _product(data)
        return None if size is None else size * (weight // int(weight_shape[0] or 1))
    size = _product(result)
    if size is None:
        return None
    if node.op_type == "Conv":
        return size * (weight // int(weight_shape[0] or 1))
    transposed = any(item.name == "transA" and item.i for item in node.attribute)
    terms = data[0] if transposed else data[-1]
    return None if terms is None else size * terms


def _product(shape: Shape | None) -> int | None:
    if shape is None:
        return None
    size = 1
    for length in shape:
        if length is None:
            return None
        size *= length
    return size
