"""QLinearConv: a Conv of the floats that its operands stand for, quantised; also channels last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting, Shape, attributes
from rxsim.operators import Constants, Operator
from rxsim.operators._convolution import conv_macs
from rxsim.operators._quantised import (
    Operand,
    QuantisedProduct,
    dequantise,
    dequantised_weights,
    quantise,
    scaled_bias,
    transpose,
)


class QLinearConv(QuantisedProduct):
    """Convolutions of quantised activations and weights, with a bias in steps of their product."""

    op_types = (("", "QLinearConv"), ("com.microsoft", "QLinearConv"))

    def operands(self, node: onnx.NodeProto) -> tuple[Operand, Operand]:
        """Return input and weights."""
        return Operand(*node.input[:3]), Operand(*node.input[3:6])

    def channels(self, node: onnx.NodeProto, constants: Constants) -> int:
        """Return the axis of the outputs."""
        return 0

    def bias(self, node: onnx.NodeProto) -> str:
        """Return the last input, which may be left out."""
        return node.input[8] if len(node.input) > 8 else ""

    def rewrite(self, node: onnx.NodeProto, graph: Rewriting, build: GraphBuilder) -> None:
        """Write a Conv, between Transposes where channels come last."""
        source, held = self.operands(node)
        given = attributes(node)
        last = bool(given.pop("channels_last", 0))
        weights = dequantised_weights(graph, held, 0)
        if last:  # the integers: see `dequantise` for why
            order = [0, weights.ndim - 1, *range(1, weights.ndim - 1)]
            integers = transpose(build, graph, source.values, order, "channels_first")
            source = replace(source, values=integers)
        floats = dequantise(build, graph, source)
        inputs = [floats, build.constant("weight", weights)]
        if self.bias(node):
            scale = graph.value(held.scale)
            assert scale is not None
            step = scale.astype(np.float64).reshape(-1)
            bias = scaled_bias(build, graph, self.bias(node), source.scale, step, weights.dtype)
            inputs.append(bias)
        product = build.add_named(node.name, "Conv", inputs, "product", **given)
        if last:
            order = [0, *range(2, weights.ndim), 1]
            product = build.add("Transpose", [product], "channels_last", perm=order)
        quantise(build, graph, product, Operand("", *node.input[6:8]), node.output[0])

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the weights of an output channel for each entry of the result."""
        return conv_macs(shapes, node.input[3], node.output[0])


OPERATOR: Operator = QLinearConv()
