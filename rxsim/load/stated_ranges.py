"""The range that a quantised network itself states for a layer's input: that of its integers.

Source: docs/concepts/model.md section 5, `input.range: model`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import onnx

from rxsim.onnx_graph import all_nodes, constants, inferred_values, values_of
from rxsim.operators import Layer

# Nodes that only move values.
_MOVES = ("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity")
_INTEGERS: dict[int, tuple[int, int]] = {
    onnx.TensorProto.UINT4: (0, 15),
    onnx.TensorProto.INT4: (-8, 7),
    onnx.TensorProto.UINT8: (0, 255),
    onnx.TensorProto.INT8: (-128, 127),
    onnx.TensorProto.UINT16: (0, 65535),
    onnx.TensorProto.INT16: (-32768, 32767),
}
# Assumption: as of measured ranges: no activation of a working network comes near.
_LARGEST = 1e20


@dataclass(frozen=True, slots=True)
class StatedRange:
    """The range of a layer's input that its network, or its user, states.

    Attributes:
        x_max: the largest |x|; of integers around 0 the largest of both signs (127, not 128, steps).
        signed: whether any integer stands for a number below 0; None where that is measured.
    """

    x_max: float
    signed: bool | None


def stated_ranges(model: onnx.ModelProto, layers: Iterable[Layer]) -> dict[str, StatedRange]:
    """Return the stated ranges by layer name; layers whose input has none are left out.

    A layer has one where DequantizeLinear with a constant scale and a constant zero point, one of each,
    makes its input; nodes that only move values may lie between.

    Args:
        model: the normalised graph.
        layers: its layers.
    """
    makers = {name: node for node in all_nodes(model.graph) for name in node.output}
    known = constants(model)
    types: dict[str, int] = {}
    found = {}
    for layer in layers:
        node = makers.get(layer.input)
        while node is not None and node.op_type in _MOVES:
            node = makers.get(node.input[0])
        if node is None or node.op_type != "DequantizeLinear":
            continue
        if not types:
            types = {
                value.name: value.type.tensor_type.elem_type for value in inferred_values(model)
            }
        stated = _range_of(node, known, types)
        if stated is not None:
            found[layer.name] = stated
    return found


def _range_of(
    node: onnx.NodeProto, known: Mapping[str, onnx.TensorProto], types: Mapping[str, int]
) -> StatedRange | None:
    """Return the range of what a DequantizeLinear gives; None where it states none."""
    scale = _single(node.input[1], known)
    zero_point, kind = 0.0, types.get(node.input[0], 0)
    if len(node.input) > 2 and node.input[2]:
        given = _single(node.input[2], known)
        if given is None:
            return None
        zero_point, kind = given, known[node.input[2]].data_type
    if scale is None or kind not in _INTEGERS:
        return None
    lowest, highest = (end - zero_point for end in _INTEGERS[kind])
    signed = lowest < 0
    around_zero = lowest == -highest - 1
    steps = highest if not signed or around_zero else max(highest, -lowest)
    x_max = scale * steps
    return StatedRange(x_max, signed) if 0 < x_max <= _LARGEST else None


def _single(name: str, known: Mapping[str, onnx.TensorProto]) -> float | None:
    """Return a constant of one value."""
    if name not in known:
        return None
    value = values_of(known[name])
    return float(value.reshape(())) if value.size == 1 else None
