"""MatMulInteger: a MatMul of whole numbers, zero points taken off."""

from __future__ import annotations

import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting
from rxsim.operators import Operator
from rxsim.operators._quantised import Operand, whole_result
from rxsim.operators._quantised_matmul import QuantisedMatMul, optional


class MatMulInteger(QuantisedMatMul):
    """Matrix products of integers with an int32 result."""

    op_types = (("", "MatMulInteger"),)

    def operands(self, node: onnx.NodeProto) -> tuple[Operand, Operand]:
        """Return both operands."""
        first, second = node.input[:2]
        return Operand(first, "", optional(node, 2)), Operand(second, "", optional(node, 3))

    def rewrite(self, node: onnx.NodeProto, graph: Rewriting, build: GraphBuilder) -> None:
        """Write the product of floats that are whole numbers: exact below 2^24."""
        whole_result(build, graph, self.add_matmul(node, graph, build), node.output[0])


OPERATOR: Operator = MatMulInteger()
