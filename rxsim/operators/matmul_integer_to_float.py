"""onnxruntime's MatMulIntegerToFloat: a MatMul of the floats that its operands stand for."""

from __future__ import annotations

import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting
from rxsim.operators import Operator
from rxsim.operators._quantised import Operand
from rxsim.operators._quantised_matmul import QuantisedMatMul, optional


class MatMulIntegerToFloat(QuantisedMatMul):
    """Matrix products of integers with a float result and a float bias."""

    op_types = (("com.microsoft", "MatMulIntegerToFloat"),)

    def operands(self, node: onnx.NodeProto) -> tuple[Operand, Operand]:
        """Return both operands."""
        first, second, *scales = node.input[:4]
        zero_points = [optional(node, place) for place in (4, 5)]
        return Operand(first, scales[0], zero_points[0]), Operand(second, scales[1], zero_points[1])

    def rewrite(self, node: onnx.NodeProto, graph: Rewriting, build: GraphBuilder) -> None:
        """Add the bias to the product."""
        product = self.add_matmul(node, graph, build)
        self.add_bias(build, product, optional(node, 6), node.output[0])


OPERATOR: Operator = MatMulIntegerToFloat()
