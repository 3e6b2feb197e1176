"""Which outputs of a node are never below 0, by ONNX's definition of its operator.

-0.0 counts as 0. NaN is not below 0, but the integers that QuantizeLinear makes of it may be: all rules
are about networks without NaN. Products of activations and weights have no rule, since on hardware they
are not exact. Rules that add, multiply or take magnitudes hold for floats alone, because integers wrap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from rxsim.onnx_graph.nodes import attributes
from rxsim.onnx_graph.stored import values_of

UNSIGNED = frozenset(
    {
        *(TensorProto.BOOL, TensorProto.UINT4, TensorProto.UINT8, TensorProto.UINT16),
        *(TensorProto.UINT32, TensorProto.UINT64),
    }
)
_FLOATS = frozenset(
    {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16}
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Known:
    """What is known where a node stands.

    Attributes:
        nonnegative: tells of a tensor's name whether it is never below 0.
        values: a constant's values by its name; None for anything else.
        types: the types of tensors by name, as ONNX counts them; without those that are not known.
        makers: the nodes of the graph by the names of their outputs.
    """

    nonnegative: Callable[[str], bool]
    values: Callable[[str], np.ndarray | None]
    types: Mapping[str, int]
    makers: Mapping[str, onnx.NodeProto]

    def above_zero(self, name: str) -> bool:
        """Tell whether a tensor is a constant whose values all are above 0."""
        values = self.values(name)
        return values is not None and bool((values > 0).all())


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node with what its rule asks for."""

    proto: onnx.NodeProto
    known: Known
    stated: Mapping[str, Any]

    def input(self, place: int) -> str:
        """Return the name of an input; empty where it is left out."""
        return self.proto.input[place] if place < len(self.proto.input) else ""

    def given(self, place: int) -> bool:
        """Tell whether an input is never below 0."""
        return bool(self.input(place)) and self.known.nonnegative(self.input(place))

    def all_given(self) -> bool:
        """Tell whether no input is ever below 0."""
        return all(self.given(place) for place in range(len(self.proto.input)))

    def floats(self) -> bool:
        """Tell whether the node computes in floats, as far as types are known."""
        return self.known.types.get(self.proto.output[0], 0) in _FLOATS


Rule = Callable[[Node], bool]


def _always(node: Node) -> bool:
    return True


def _float(node: Node) -> bool:
    return node.floats()


def _first(node: Node) -> bool:
    return node.given(0)


def _first_float(node: Node) -> bool:
    return node.given(0) and node.floats()


def _all(node: Node) -> bool:
    return node.all_given()


def _all_float(node: Node) -> bool:
    return node.all_given() and node.floats()


def _any(node: Node) -> bool:
    return any(node.given(place) for place in range(len(node.proto.input)))


def _product(node: Node) -> bool:
    return node.floats() and (node.all_given() or node.input(0) == node.input(1))


def _quotient(node: Node) -> bool:
    # A divisor that is no constant may be -0.0, and 1 / -0.0 is minus infinity.
    return node.given(0) and node.known.above_zero(node.input(1))


def _power(node: Node) -> bool:
    exponent = node.known.values(node.input(1))
    if exponent is None or not node.floats():
        return False
    # (-0.0) ** -1 is minus infinity; an even power never is below 0.
    return bool((exponent % 2 == 0).all()) or (node.given(0) and bool((exponent > 0).all()))


def _clip(node: Node) -> bool:
    # Source: ONNX's Clip: min(max(x, low), high), so `high` has the last word.
    low, high = (
        node.stated[name] >= 0
        if name in node.stated
        else (node.given(place) if node.input(place) else None)
        for place, name in ((1, "min"), (2, "max"))
    )
    return (node.given(0) or bool(low)) and high is not False


def _where(node: Node) -> bool:
    return node.given(1) and node.given(2)


def _cast(node: Node) -> bool:
    # A large float becomes any integer.
    return node.stated["to"] in UNSIGNED or (node.stated["to"] in _FLOATS and node.given(0))


def _pad(node: Node) -> bool:
    filled = node.stated.get("mode", b"constant") == b"constant"
    value = node.given(2) if node.input(2) else node.stated.get("value", 0.0) >= 0
    return node.given(0) and (value or not filled)


def _resize(node: Node) -> bool:
    # Cubic interpolation overshoots.
    inside = node.stated.get("extrapolation_value", 0.0) >= 0
    return (
        node.given(0) and inside and node.stated.get("mode", b"nearest") in (b"nearest", b"linear")
    )


def _max_pool(node: Node) -> bool:
    """A window that lies wholly in the padding gives the lowest number that there is."""
    stated = node.stated
    kernel = stated["kernel_shape"]
    axes = len(kernel)
    if any(step != 1 for step in stated.get("dilations", ())):
        return False
    pads = stated.get("pads") or [0] * 2 * axes
    strides = stated.get("strides") or [1] * axes
    beyond = strides if stated.get("ceil_mode", 0) else [1] * axes
    fits = all(
        pads[axis] < length and pads[axes + axis] + beyond[axis] <= length
        for axis, length in enumerate(kernel)
    )
    return node.given(0) and fits


def _local_response(node: Node) -> bool:
    positive = node.stated.get("alpha", 1e-4) >= 0 and node.stated.get("bias", 1.0) > 0
    return node.given(0) and positive


def _thresholded(node: Node) -> bool:
    return node.stated.get("alpha", 1.0) >= 0 or node.given(0)


def _constant_of_shape(node: Node) -> bool:
    value = node.stated.get("value")
    return value is None or not (values_of(value) < 0).any()


def _quantised(node: Node) -> bool:
    if not node.given(0) or not node.known.above_zero(node.input(1)):
        return False
    return node.given(2) if node.input(2) else True


def _dequantised(node: Node) -> bool:
    """Integers at or above the zero point stand for numbers of at least 0."""
    known, source = node.known, node.input(0)
    if not known.above_zero(node.input(1)):
        return False
    zero = known.values(node.input(2)) if node.input(2) else np.zeros(1)
    if zero is None:
        return False
    if node.given(0) and not zero.any():
        return True
    # What was at or above 0 is at or above the zero point that it was given.
    maker = known.makers.get(source)
    if maker is None or maker.op_type != "QuantizeLinear" or len(maker.input) < 3:
        return False
    before = known.values(maker.input[2])
    same = before is not None and np.array_equal(before, zero)
    return same and known.nonnegative(maker.input[0]) and known.above_zero(maker.input[1])


def _by_name(texts: Mapping[Rule, str]) -> dict[str, Rule]:
    return {name: rule for rule, names in texts.items() for name in names.split()}


# Source: ONNX's operator definitions, domain "", operator sets 7 to 23.
_RULES: Mapping[str, Rule] = _by_name(
    {
        _always: "Relu Sigmoid HardSigmoid Softmax Hardmax Softplus Exp Sqrt LpPool GlobalLpPool "
        "Shape Size NonZero ArgMax ArgMin EyeLike",
        _float: "Abs ReduceL1 ReduceL2 ReduceSumSquare",
        _first: "Identity Dropout Reshape Flatten Squeeze Unsqueeze Transpose Slice Split Expand "
        "Tile Gather GatherElements GatherND DepthToSpace SpaceToDepth Trilu TopK "
        "AveragePool GlobalAveragePool GlobalMaxPool ReduceMin "
        "LeakyRelu PRelu Elu Celu Gelu Mish HardSwish Softsign Tanh Erf Floor Ceil Round Sign",
        _first_float: "ReduceSum ReduceMean ReduceProd CumSum",
        _all: "Concat Min",
        _all_float: "Add Sum Mean",
        _any: "Max",
        _product: "Mul",
        _quotient: "Div",
        _power: "Pow",
        _clip: "Clip",
        _where: "Where",
        _cast: "Cast",
        _pad: "Pad",
        _resize: "Resize Upsample",
        _max_pool: "MaxPool",
        _local_response: "LRN",
        _thresholded: "ThresholdedRelu",
        _constant_of_shape: "ConstantOfShape",
        _quantised: "QuantizeLinear",
        _dequantised: "DequantizeLinear",
    }
)
# Operators with outputs of different kinds: the rule is about the first, the others are indices.
_FIRST_OUTPUT = ("MaxPool", "Dropout", "TopK")


def nonnegative_outputs(node: onnx.NodeProto, known: Known) -> list[str]:
    """Return the names of a node's outputs that are never below 0, whatever is fed.

    Args:
        node: a node without inner graphs.
        known: what is known of its inputs.
    """
    if node.domain not in ("", "ai.onnx"):
        return []
    rule = _RULES.get(node.op_type)
    if rule is None or not rule(Node(node, known, attributes(node))):
        return []
    outputs = node.output[:1] if node.op_type in _FIRST_OUTPUT else node.output
    return [name for name in outputs if name]
