"""Pass: write products in the form that their operators map: activations x times a constant W.

MatMul(W, x) and Gemm(W, x) with a constant left operand, and Gemm with a transposed activation, become
products of the plain form x @ W between Transpose nodes; operators that are made of several steps
(quantised ones, recurrent ones) become these steps. A product keeps its node's name, or begins with
it; the other new nodes have none yet, or begin with it too. What becomes of a node is in its operator's
file. Bodies of If, Loop and Scan are rewritten as well.
"""

from __future__ import annotations

import onnx

from rxsim.onnx_graph import Rewriting, drop_unused_constants, inner_graphs
from rxsim.operators import operator_of, set_user_op, user_op


def orient(model: onnx.ModelProto) -> None:
    """Rewrite nodes whose operators want so, in place; others are left alone."""
    _orient(model.graph, Rewriting(model))
    drop_unused_constants(model)


def _orient(graph: onnx.GraphProto, rewriting: Rewriting) -> None:
    nodes: list[onnx.NodeProto] = []
    changed = False
    for node in graph.node:
        for inner in inner_graphs(node):
            before = rewriting.repeated
            rewriting.repeated = before or node.op_type != "If"
            _orient(inner, rewriting)
            rewriting.repeated = before
        written = _rewritten(node, rewriting)
        changed = changed or written[0] is not node or len(written) > 1
        nodes.extend(written)
    if changed:
        del graph.node[:]
        graph.node.extend(nodes)


def _rewritten(node: onnx.NodeProto, rewriting: Rewriting) -> list[onnx.NodeProto]:
    """Rewrite a node, and what comes of it, until nothing changes."""
    operator = operator_of(node)
    if operator is None:
        return [node]
    written = operator.normalised(node, rewriting)
    if len(written) == 1 and written[0] is node:
        return written
    result: list[onnx.NodeProto] = []
    for item in written:
        result.extend([item] if item is node else _rewritten(item, rewriting))
    for item in result:
        if operator_of(item) is not None:
            set_user_op(item, user_op(node))
    return result
