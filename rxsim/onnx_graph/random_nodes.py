"""Operators that draw random numbers: what they give depends on what was drawn before."""

from __future__ import annotations

import onnx

from rxsim.onnx_graph.scopes import all_nodes

RANDOM = {
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
}
"""Operators that give something else each time."""


def draws_numbers(model: onnx.ModelProto) -> bool:
    """Tell whether a model has such operators, in bodies and in its own functions too."""
    graphs = [model.graph]
    for function in model.functions:
        graphs.append(onnx.GraphProto(node=function.node))
    return any(node.op_type in RANDOM for graph in graphs for node in all_nodes(graph))
