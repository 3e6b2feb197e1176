"""ConvInteger: a Conv of whole numbers, zero points taken off."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting, Shape, attributes
from rxsim.operators import Constants, Operator
from rxsim.operators._convolution import conv_macs
from rxsim.operators._quantised import (
    Operand,
    QuantisedProduct,
    dequantise,
    dequantised_weights,
    whole_result,
)


class ConvInteger(QuantisedProduct):
    """Convolutions of integers with an int32 result."""

    op_types = (("", "ConvInteger"),)

    def operands(self, node: onnx.NodeProto) -> tuple[Operand, Operand]:
        """Return input and weights."""
        source, held, *zero_points = node.input
        zero_points += [""] * (2 - len(zero_points))
        return Operand(source, "", zero_points[0]), Operand(held, "", zero_points[1])

    def channels(self, node: onnx.NodeProto, constants: Constants) -> int:
        """Return the axis of the outputs."""
        return 0

    def rewrite(self, node: onnx.NodeProto, graph: Rewriting, build: GraphBuilder) -> None:
        """Write a Conv of floats that are whole numbers: exact below 2^24."""
        source, held = self.operands(node)
        floats = dequantise(build, graph, source)
        weights = build.constant("weight", dequantised_weights(graph, held, 0))
        product = build.add_named(
            node.name, "Conv", [floats, weights], "product", **attributes(node)
        )
        whole_result(build, graph, product, node.output[0])

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the weights of an output channel for each entry of the result."""
        return conv_macs(shapes, node.input[1], node.output[0])


OPERATOR: Operator = ConvInteger()
