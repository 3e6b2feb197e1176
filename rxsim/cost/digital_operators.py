"""The digital operators of a network, counted by elements."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import onnx

from rxsim.load import Network
from rxsim.load.digital import (
    ACTIVATION,
    CONTROL_FLOW,
    CONVERSION,
    ELEMENTS,
    NORMALISATION,
    POOLING,
    SHAPE,
    reason_for,
)
from rxsim.load.macs import Work
from rxsim.load.tensor_sizes import TensorSize
from rxsim.onnx_graph import all_nodes, attributes, constants
from rxsim.operators import operator_of, user_op

Kind = Literal[
    "activation",
    "pooling",
    "elementwise",
    "normalisation",
    "conversion",
    "product",
    "movement",
    "other",
]
_KINDS: Mapping[str, Kind] = {
    ACTIVATION: "activation",
    POOLING: "pooling",
    ELEMENTS: "elementwise",
    NORMALISATION: "normalisation",
    CONVERSION: "conversion",
    SHAPE: "movement",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitalOperator:
    """A node that runs outside of the crossbars.

    Attributes:
        name: the node's.
        op: its type in the user's file.
        kind: what it does.
        elements: of its first output, for one inference; None where a shape is unknown.
        operations: on single elements: for pooling the places of its windows, for a sum of n tensors
            n - 1 additions an element, for a product its multiply-accumulates, none for movement, else
            one an element; None where unknown.
    """

    name: str
    op: str
    kind: Kind
    elements: int | None
    operations: int | None


def digital_operators(
    network: Network, analog: Collection[str], work: Work, sizes: Mapping[str, TensorSize]
) -> tuple[DigitalOperator, ...]:
    """Count the digital operators of a network, in topological order, bodies of loops included.

    Nodes that only hold others (If, Loop, Scan) and constants are left out.

    Args:
        network: the network.
        analog: names of the nodes whose products are on crossbars.
        work: multiply-accumulates of every product.
        sizes: of tensors per network input.
    """
    known = constants(network.model)
    counted = []
    for node in all_nodes(network.model.graph):
        reason = reason_for(node.op_type, node.domain)
        made_of_constants = all(name in known for name in node.input)
        if node.name in analog or reason == CONTROL_FLOW or made_of_constants:
            continue
        product = operator_of(node) is not None
        kind: Kind = "product" if product else _KINDS.get(reason, "other")
        size = sizes.get(node.output[0])
        elements = None if size is None else size.elements
        counted.append(
            DigitalOperator(
                name=node.name,
                op=user_op(node),
                kind=kind,
                elements=elements,
                operations=work.macs.get(node.name)
                if product
                else _operations(node, kind, elements, sizes),
            )
        )
    return tuple(counted)


def _operations(
    node: onnx.NodeProto, kind: Kind, elements: int | None, sizes: Mapping[str, TensorSize]
) -> int | None:
    """Count operations on single elements; None where a shape is unknown."""
    if kind == "movement":
        return 0
    if kind == "pooling":
        if node.op_type.startswith(("Global", "QLinearGlobal")):
            size = sizes.get(node.input[0])
            return None if size is None else size.elements
        window = math.prod(attributes(node).get("kernel_shape", (1,)))
        return None if elements is None else elements * window
    # A quantised sum has scales and zero points among its inputs.
    summed = kind == "elementwise" and not node.op_type.startswith("QLinear")
    terms = len(node.input) if summed else 1
    return None if elements is None else elements * max(terms - 1, 1)
