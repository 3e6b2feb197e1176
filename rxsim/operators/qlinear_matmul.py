"""QLinearMatMul: a MatMul of the floats that its operands stand for, quantised."""

from __future__ import annotations

import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting
from rxsim.operators import Operator
from rxsim.operators._quantised import Operand, quantise
from rxsim.operators._quantised_matmul import QuantisedMatMul


class QLinearMatMul(QuantisedMatMul):
    """Matrix products with a quantised result."""

    op_types = (("", "QLinearMatMul"),)

    def operands(self, node: onnx.NodeProto) -> tuple[Operand, Operand]:
        """Return both operands."""
        return Operand(*node.input[:3]), Operand(*node.input[3:6])

    def rewrite(self, node: onnx.NodeProto, graph: Rewriting, build: GraphBuilder) -> None:
        """Quantise the product."""
        product = self.add_matmul(node, graph, build)
        quantise(build, graph, product, Operand("", *node.input[6:8]), node.output[0])


OPERATOR: Operator = QLinearMatMul()
