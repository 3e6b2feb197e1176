"""onnxruntime's QGemm: a Gemm of the floats that its operands stand for, quantised or not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting, Shape, attributes
from rxsim.operators import Constants, Operator
from rxsim.operators._quantised import (
    Operand,
    QuantisedProduct,
    dequantise,
    dequantised_weights,
    matrix_macs,
    quantise,
    scaled_bias,
)
from rxsim.operators._quantised_matmul import optional
from rxsim.operators._shared import dims_of


class QGemm(QuantisedProduct):
    """Matrix products, either operand transposed, with an int32 addend.

    Source: onnxruntime's ContribOperators.md: the addend is in steps of alpha * a_scale * b_scale.
    """

    op_types = (("com.microsoft", "QGemm"),)

    def operands(self, node: onnx.NodeProto) -> tuple[Operand, Operand]:
        """Return both operands."""
        return Operand(*node.input[:3]), Operand(*node.input[3:6])

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Refuse an addend that does not spread over the columns, besides what all refuse."""
        reason = super().why_not(node, constants)
        addend = dims_of(constants.get(optional(node, 6)))
        if reason or not addend:
            return reason
        columns = constants[node.input[3]].dims[self.channels(node, constants)]
        if addend[-1] in (1, columns):
            return ""
        return f"its addend has the shape {list(addend)}, which does not fit {columns} columns"

    def channels(self, node: onnx.NodeProto, constants: Constants) -> int:
        """Return the axis of the columns."""
        return 0 if attributes(node).get("transB", 0) else 1

    def rewrite(self, node: onnx.NodeProto, graph: Rewriting, build: GraphBuilder) -> None:
        """Write a Gemm of floats; quantise where the node has a scale for its result."""
        source, held = self.operands(node)
        given = attributes(node)
        weights = dequantised_weights(graph, held, self.channels(node, graph.constants))
        inputs = [dequantise(build, graph, source), build.constant("weight", weights)]
        addend = optional(node, 6)
        if addend:
            scale = graph.value(held.scale)
            assert scale is not None
            step = scale.astype(np.float64) * given.get("alpha", 1.0)
            step = step.reshape(()) if step.size == 1 else step
            inputs.append(scaled_bias(build, graph, addend, source.scale, step, weights.dtype))
        product = build.add_named(node.name, "Gemm", inputs, "product", **given)
        result = Operand("", optional(node, 7), optional(node, 8))
        if result.scale:
            quantise(build, graph, product, result, node.output[0])
        else:
            build.give(product, node.output[0])

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the terms of each entry of the result."""
        given = attributes(node)
        sides = [shapes.get(operand.values) for operand in self.operands(node)]
        turned = [
            shape[::-1] if shape is not None and given.get(name, 0) else shape
            for shape, name in zip(sides, ("transA", "transB"), strict=True)
        ]
        return matrix_macs(*turned)


OPERATOR: Operator = QGemm()
