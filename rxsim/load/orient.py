"""Pass: write products in the form that their operators map, the constant on the right.

MatMul(W, x) and Gemm(W, x) with a constant left operand, and Gemm with a transposed activation, become
products of the plain form x @ W between Transpose nodes. The product keeps its node's name; the new
nodes have none yet. What becomes of a node is in its operator's file.
"""

from __future__ import annotations

import onnx

from rxsim.onnx_graph import Rewriting
from rxsim.operators import operator_of


def orient(model: onnx.ModelProto) -> None:
    """Rewrite nodes whose operators want so, in place; others are left alone."""
    graph = Rewriting(model)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        operator = operator_of(node)
        nodes.extend([node] if operator is None else operator.normalised(node, graph))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
