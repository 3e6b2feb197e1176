"""Pass: write int8 weights that uint8 activations meet as uint8, with their zero point 128 higher.

The products are the same. On x86 processors without VNNI onnxruntime adds pairs of uint8 x int8 in 16
bits, where they saturate; uint8 x uint8 is exact. `rxsim.session` asks onnxruntime to do as much, which
it does not for weights that a body takes from outside, nor beside products of int8 with int8.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from rxsim.onnx_graph import (
    all_nodes,
    constants,
    fresh_name,
    inferred_values,
    remove_constants,
    set_constant,
    taken_names,
    use_counts,
    values_of,
)

# By domain and operator the places of activations, weights, and the weights' zero point.
_PLACES = {
    ("", "MatMulInteger"): (0, 1, 3),
    ("", "QLinearMatMul"): (0, 3, 5),
    ("", "QLinearConv"): (0, 3, 5),
    ("com.microsoft", "QLinearConv"): (0, 3, 5),
    ("com.microsoft", "QGemm"): (0, 3, 5),
    ("com.microsoft", "MatMulIntegerToFloat"): (0, 1, 5),
}
_DYNAMIC = ("com.microsoft", "DynamicQuantizeMatMul")


def unsaturate(model: onnx.ModelProto) -> None:
    """Rewrite int8 constants of the main graph where their node's activations are uint8, in place."""
    candidates = [node for node in all_nodes(model.graph) if _kind(node) in {*_PLACES, _DYNAMIC}]
    if not candidates:
        return
    known, taken = constants(model), taken_names(model)
    types = _types(model)
    made: dict[str, str] = {}

    def as_uint8(stored: str) -> str:
        """Return the name of the same values, 128 higher; a zero point that is left out is 0."""
        if stored not in made:
            value = values_of(known[stored]) if stored else np.zeros((), np.int8)
            name = fresh_name(taken, f"{stored or 'zero_point'}:uint8")
            set_constant(model, name, (value.astype(np.int16) + 128).astype(np.uint8))
            made[stored] = name
        return made[stored]

    for node in candidates:
        source, held, zero_point = _PLACES.get(_kind(node), (None, 1, 3))
        if source is not None and types.get(node.input[source]) != TensorProto.UINT8:
            continue
        weights = known.get(node.input[held])
        given = node.input[zero_point] if len(node.input) > zero_point else ""
        if (
            weights is None
            or weights.data_type != TensorProto.INT8
            or (given and given not in known)
        ):
            continue
        node.input.extend([""] * (zero_point + 1 - len(node.input)))
        node.input[held] = as_uint8(node.input[held])
        node.input[zero_point] = as_uint8(given)
    used = use_counts(model)
    inputs = {value.name for value in model.graph.input}  # older files list their constants too
    dropped = {name for name in made if name and not used[name]} - inputs
    remove_constants(model, lambda tensor: tensor.name in dropped)


def _kind(node: onnx.NodeProto) -> tuple[str, str]:
    return "" if node.domain == "ai.onnx" else node.domain, node.op_type


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """Return types of tensors: as inferred; inside of bodies as their quantisation states them."""
    types = {value.name: value.type.tensor_type.elem_type for value in inferred_values(model)}
    known = constants(model)
    for node in all_nodes(model.graph):
        if node.op_type == "DynamicQuantizeLinear":
            types[node.output[0]] = TensorProto.UINT8
        elif node.op_type == "QuantizeLinear" and len(node.input) > 2 and node.input[2] in known:
            types[node.output[0]] = known[node.input[2]].data_type
        elif _kind(node) in _PLACES and len(node.input) > 7 and node.input[7] in known:
            types[node.output[0]] = known[node.input[7]].data_type
    return types
