"""Multiply-accumulates of every product for inputs of given shapes."""

from __future__ import annotations

import onnx

from rxsim.onnx_graph import (
    Shape,
    constants,
    inferred_values,
    shape_of,
    without_large_constants,
)
from rxsim.operators import operator_of


def macs_by_node(model: onnx.ModelProto, inputs: dict[str, tuple[int, ...]]) -> dict[str, int]:
    """Count the multiply-accumulates of every node that is an operator.

    A model that prescribes its batch size is counted at that size, and its share taken.

    Args:
        model: the normalised graph.
        inputs: shape of each network input, batch axis of length 1 included.

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
        operator = operator_of(node)
        count = None if operator is None else operator.macs(node, shapes)
        if count is not None:
            counts[node.name] = count * given // prescribed
    return counts
