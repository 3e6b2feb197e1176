"""MatMul: rows of activations times a constant matrix, with any number of axes in front."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import helper, numpy_helper

from rxsim.onnx_graph import Rewriting
from rxsim.operators import ROWS, Affine, Constants, Operator, Product
from rxsim.operators._matrix_product import MatrixProduct


class MatMul(MatrixProduct):
    """Products with a constant of two axes on either side."""

    op_types = (("", "MatMul"),)

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Turn a constant to the right: W @ x = (x^T @ W^T)^T for an activation matrix x."""
        known = graph.constants
        left, right = node.input
        if left not in known or right in known or len(known[left].dims) != 2:
            return [node]
        rank = graph.ranks.get(right)
        if rank is None or rank < 2:
            return [node]
        swap = [*range(rank - 2), rank - 1, rank - 2]
        weight = graph.constant(f"{node.name}.weight", numpy_helper.to_array(known[left]).T)
        flipped, product = (graph.name(f"{node.name}.{part}") for part in ("input", "product"))
        return [
            helper.make_node("Transpose", [right], [flipped], perm=swap),
            helper.make_node("MatMul", [flipped, weight], [product], node.name),
            helper.make_node("Transpose", [product], list(node.output), perm=swap),
        ]

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Take constants of two axes only."""
        weights = constants.get(node.input[1])
        if node.input[0] not in constants and weights is not None and len(weights.dims) != 2:
            return f"its constant has {len(weights.dims)} axes, not 2"
        return super().why_not(node, constants)

    def products(self, node: onnx.NodeProto, constants: Constants) -> Sequence[Product]:
        """Give the constant as it is."""
        stored = numpy_helper.to_array(constants[node.input[1]])
        return [Product(stored=stored, matrices=stored[None], input=node.input[0], layout=ROWS)]

    def affine(self, node: onnx.NodeProto, constants: Constants) -> Affine | None:
        """Give a constant right operand of two axes; a bias stands behind the node."""
        weights = constants.get(node.input[1])
        if weights is None or node.input[0] in constants or len(weights.dims) != 2:
            return None
        stored = numpy_helper.to_array(weights)
        return Affine(stored, 1, None, outside=True, channels_last=True, input_axis=0)


OPERATOR: Operator = MatMul()
