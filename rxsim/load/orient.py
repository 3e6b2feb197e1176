"""Pass: write matrix products so that the activations stand left and the constant right.

MatMul(W, x) and Gemm(W, x) with a constant left operand, and Gemm with a transposed activation, become
products of the plain form x @ W between Transpose nodes. The product keeps its node's name; the new
nodes have none yet.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rxsim.load.graph import (
    attributes,
    constants,
    fresh_name,
    inferred_values,
    set_constant,
    taken_names,
)


class _Graph:
    """What a pass over all products asks time and again, found out once.

    Attributes:
        constants: the initializers of the model as it came.
        ranks: ranks of its tensors where shape inference knows them.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._taken = taken_names(model)
        self.constants = constants(model)

    @cached_property
    def ranks(self) -> dict[str, int]:
        return {
            value.name: len(value.type.tensor_type.shape.dim)
            for value in inferred_values(self._model)
            if value.type.tensor_type.HasField("shape")
        }

    def name(self, wanted: str) -> str:
        """Take a fresh name."""
        return fresh_name(self._taken, wanted)

    def add(self, wanted: str, value: np.ndarray) -> str:
        """Add a constant; return its name."""
        name = self.name(wanted)
        set_constant(self._model, name, value)
        return name


def orient(model: onnx.ModelProto) -> None:
    """Rewrite constant-left and transposed products, in place; others are left alone."""
    graph = _Graph(model)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "MatMul":
            nodes.extend(_orient_matmul(graph, node))
        elif node.op_type == "Gemm":
            nodes.extend(_orient_gemm(graph, node))
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _orient_matmul(graph: _Graph, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """W @ x = (x^T @ W^T)^T for a constant matrix W and an activation matrix x."""
    known = graph.constants
    left, right = node.input
    if left not in known or right in known or len(known[left].dims) != 2:
        return [node]
    rank = graph.ranks.get(right)
    if rank is None or rank < 2:
        return [node]
    swap = [*range(rank - 2), rank - 1, rank - 2]
    weight = graph.add(f"{node.name}.weight", numpy_helper.to_array(known[left]).T)
    flipped, product = (graph.name(f"{node.name}.{part}") for part in ("input", "product"))
    return [
        helper.make_node("Transpose", [right], [flipped], perm=swap),
        helper.make_node("MatMul", [flipped, weight], [product], node.name),
        helper.make_node("Transpose", [product], list(node.output), perm=swap),
    ]


def _orient_gemm(graph: _Graph, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    given = attributes(node)
    known = graph.constants
    left, right = node.input[:2]
    scale: dict[str, Any] = {name: given[name] for name in ("alpha", "beta") if name in given}
    if left in known and right not in known:
        return _flip_gemm(graph, node, scale)
    if not given.get("transA", 0) or left in known:
        return [node]
    flipped = graph.name(f"{node.name}.input")
    trans_b = {"transB": given["transB"]} if "transB" in given else {}
    return [
        helper.make_node("Transpose", [left], [flipped], perm=[1, 0]),
        helper.make_node(
            "Gemm", [flipped, *node.input[1:]], list(node.output), node.name, **scale, **trans_b
        ),
    ]


def _flip_gemm(graph: _Graph, node: onnx.NodeProto, scale: dict[str, Any]) -> list[onnx.NodeProto]:
    """A' @ x' + C = (x'^T @ A'^T)^T + C for a constant A: the addition stays outside."""
    given = attributes(node)
    stored = numpy_helper.to_array(graph.constants[node.input[0]])
    weight = graph.add(f"{node.name}.weight", stored if given.get("transA", 0) else stored.T)
    activation = node.input[1]
    nodes = []
    if not given.get("transB", 0):
        activation = graph.name(f"{node.name}.input")
        nodes.append(helper.make_node("Transpose", [node.input[1]], [activation], perm=[1, 0]))
    product = graph.name(f"{node.name}.product")
    alpha: dict[str, Any] = {"alpha": scale["alpha"]} if "alpha" in scale else {}
    nodes.append(helper.make_node("Gemm", [activation, weight], [product], node.name, **alpha))
    addend = node.input[2] if len(node.input) > 2 else ""
    turned = graph.name(f"{node.name}.turned") if addend else node.output[0]
    nodes.append(helper.make_node("Transpose", [product], [turned], perm=[1, 0]))
    if addend:
        if scale.get("beta", 1.0) != 1.0:
            beta = graph.add(f"{node.name}.beta", np.asarray(scale["beta"], dtype=stored.dtype))
            scaled = graph.name(f"{node.name}.scaled")
            nodes.append(helper.make_node("Mul", [addend, beta], [scaled]))
            addend = scaled
        nodes.append(helper.make_node("Add", [turned, addend], list(node.output)))
    return nodes
