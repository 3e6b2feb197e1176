"""Gemm: alpha A' @ B' + beta C with a constant operand; alpha belongs to the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from rxsim.onnx_graph import GraphBuilder, Rewriting, Shape, attributes, values_of
from rxsim.operators import ROWS, Affine, Constants, Layer, Multiply, Operator, Product
from rxsim.operators._matrix_product import MatrixProduct
from rxsim.operators._shared import as_float, bias_of, dims_of


class Gemm(MatrixProduct):
    """Products of two matrices, transposed or not, with an addend of any shape that spreads."""

    op_types = (("", "Gemm"),)

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Turn a constant to the right, and a transposed activation round."""
        given = attributes(node)
        known = graph.constants
        left, right = node.input[:2]
        scale: dict[str, Any] = {name: given[name] for name in ("alpha", "beta") if name in given}
        if left in known and right not in known:
            return _turned(node, graph, scale)
        if not given.get("transA", 0) or left in known:
            return [node]
        flipped = graph.name(f"{node.name}.input")
        if "transB" in given:
            scale["transB"] = given["transB"]
        inputs, outputs = [flipped, *node.input[1:]], list(node.output)
        return [
            helper.make_node("Transpose", [left], [flipped], perm=[1, 0]),
            helper.make_node("Gemm", inputs, outputs, node.name, **scale),
        ]

    def products(self, node: onnx.NodeProto, constants: Constants) -> Sequence[Product]:
        """Give the constant upright and multiplied by alpha, in float64 where alpha is not 1."""
        given = attributes(node)
        stored = values_of(constants[node.input[1]])
        matrix = stored.T if given.get("transB", 0) else stored
        alpha = given.get("alpha", 1.0)
        if alpha != 1.0:
            matrix = matrix.astype(np.float64) * alpha
        return [Product(stored=stored, matrices=matrix[None], input=node.input[0], layout=ROWS)]

    def misfit(self, layer: Layer, data: Shape | None, constants: Constants) -> str:
        """Compare the length of the last axis, then that of the bias, with the weights."""
        problem = super().misfit(layer, data, constants)
        bias, columns = dims_of(constants.get(bias_of(layer.node))), layer.n_outputs
        if problem or not bias or math.prod(bias) <= 1 or bias[-1] in (1, columns):
            return problem
        return f"found a bias of shape {list(bias)}, expected {columns} values"

    def terms_axis(self, node: onnx.NodeProto) -> int:
        """Return the axis of the left operand that is summed over."""
        return 0 if attributes(node).get("transA", 0) else -1

    def affine(self, node: onnx.NodeProto, constants: Constants) -> Affine | None:
        """Give constant weights, and a constant addend multiplied by beta."""
        weights, bias = constants.get(node.input[1]), constants.get(bias_of(node))
        if weights is None or (bias_of(node) and bias is None):
            return None
        given = attributes(node)
        added = None
        if bias is not None:
            added = given.get("beta", 1.0) * values_of(bias).astype(np.float64)
        turned = bool(given.get("transB", 0))
        return Affine(
            values_of(weights),
            0 if turned else 1,
            added,
            channels_last=True,
            input_axis=None if given.get("transA", 0) else int(turned),
            alpha=given.get("alpha", 1.0),
        )

    def set_affine(self, node: onnx.NodeProto, weight: str, bias: str) -> None:
        """Read weight and bias; `beta` is in the bias by now."""
        for item in [item for item in node.attribute if item.name == "beta"]:
            node.attribute.remove(item)
        super().set_affine(node, weight, bias)

    def write(
        self,
        build: GraphBuilder,
        layers: Sequence[Layer],
        multiply: Multiply,
        constants: Constants,
    ) -> list[str]:
        """Add beta C."""
        (layer,) = layers
        total, bias = multiply(build, layer, layer.input), bias_of(layer.node)
        if not bias:
            return [total]
        beta = attributes(layer.node).get("beta", 1.0)
        if bias in constants:
            value = values_of(constants[bias]).astype(np.float64) * beta
            bias = build.constant("bias", value.astype(np.float32))
        else:
            bias = as_float(build, bias, layer.dtype, "bias_input")
            if beta != 1:
                bias = build.add("Mul", [bias, build.scalar("beta", beta)], "bias_scaled")
        return [build.add("Add", [total, bias], "biased")]


def _turned(node: onnx.NodeProto, graph: Rewriting, scale: dict[str, Any]) -> list[onnx.NodeProto]:
    """A' @ x' + C = (x'^T @ A'^T)^T + C for a constant A: the addition stays outside."""
    given = attributes(node)
    stored = values_of(graph.constants[node.input[0]])
    weight = graph.constant(f"{node.name}.weight", stored if given.get("transA", 0) else stored.T)
    activation = node.input[1]
    nodes = []
    if not given.get("transB", 0):
        activation = graph.name(f"{node.name}.input")
        nodes.append(helper.make_node("Transpose", [node.input[1]], [activation], perm=[1, 0]))
    product = graph.name(f"{node.name}.product")
    alpha: dict[str, Any] = {"alpha": scale["alpha"]} if "alpha" in scale else {}
    nodes.append(helper.make_node("Gemm", [activation, weight], [product], node.name, **alpha))
    addend = bias_of(node)
    turned = graph.name(f"{node.name}.turned") if addend else node.output[0]
    nodes.append(helper.make_node("Transpose", [product], [turned], perm=[1, 0]))
    if addend:
        if scale.get("beta", 1.0) != 1.0:
            beta = graph.constant(
                f"{node.name}.beta", np.asarray(scale["beta"], dtype=stored.dtype)
            )
            scaled = graph.name(f"{node.name}.scaled")
            nodes.append(helper.make_node("Mul", [addend, beta], [scaled]))
            addend = scaled
        nodes.append(helper.make_node("Add", [turned, addend], list(node.output)))
    return nodes


OPERATOR: Operator = Gemm()
