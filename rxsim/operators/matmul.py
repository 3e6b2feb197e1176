"""MatMul: activations times a constant on either side, of any number of axes."""

from __future__ import annotations

import string
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper

from rxsim.onnx_graph import Rewriting, values_of
from rxsim.operators import ROWS, Affine, Constants, Operator, Product
from rxsim.operators._contraction import Letters, contraction
from rxsim.operators._matrix_product import MatrixProduct
from rxsim.operators._shared import why_not_weights


class MatMul(MatrixProduct):
    """Products with a constant on either side.

    A constant of two axes to the right is mapped as it is. One to the left is turned to the right, a
    vector becomes a matrix of one column. Of a constant with more axes each matrix is a product of its
    own: a group of channels where the activation has that axis too, else columns beside each other,
    because they all have the same input.
    """

    op_types = (("", "MatMul"),)

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Turn a constant to the right: W @ x = (x^T @ W^T)^T; write others over named axes."""
        known = graph.constants
        left, right = node.input
        if (left in known) == (right in known):
            return [node]
        weight, data = (left, right) if left in known else (right, left)
        if why_not_weights(known[weight]):
            return [node]
        axes, rank = len(known[weight].dims), graph.ranks.get(data)
        if axes == 2 and weight == right:
            return [node]
        if axes == 1 and weight == right:
            return _single_column(node, graph)
        if rank is None or rank == 0 or axes == 0:
            return [node]
        if axes == 2 and rank > 1:
            return _turned(node, graph, rank)
        stored = values_of(known[weight])
        letters = _letters(rank, axes, constant_left=weight == left)
        terms = stored.shape[letters.weight.index("k")]
        shape = graph.shape(data)
        if shape is None or shape[letters.data.index("k")] not in (None, terms):
            return [node]
        return contraction(graph, node, data, stored, letters) or [node]

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Take a constant to the right that has two axes by now; tell what hinders others."""
        held = [name for name in node.input if name in constants]
        if len(held) == 2:
            return "both of its operands are constant"
        if held and not why_not_weights(constants[held[0]]):
            axes = len(constants[held[0]].dims)
            if axes == 2 and held[0] == node.input[1]:
                return ""
            side = "left" if held[0] == node.input[0] else "right"
            return (
                f"its {side} operand is a constant of {axes} axes and the other one's shape is not "
                "known, or does not fit"
            )
        return why_not_weights(constants.get(held[0]) if held else None)

    def products(self, node: onnx.NodeProto, constants: Constants) -> Sequence[Product]:
        """Give the constant as it is."""
        stored = values_of(constants[node.input[1]])
        return [Product(stored=stored, matrices=stored[None], input=node.input[0], layout=ROWS)]

    def affine(self, node: onnx.NodeProto, constants: Constants) -> Affine | None:
        """Give a constant right operand of two axes; a bias stands behind the node."""
        weights = constants.get(node.input[1])
        if weights is None or node.input[0] in constants or len(weights.dims) != 2:
            return None
        stored = values_of(weights)
        return Affine(stored, 1, None, outside=True, channels_last=True, input_axis=0)


def _turned(node: onnx.NodeProto, graph: Rewriting, rank: int) -> list[onnx.NodeProto]:
    """W @ x = (x^T @ W^T)^T for a constant of two axes."""
    left, right = node.input
    swap = [*range(rank - 2), rank - 1, rank - 2]
    stored = values_of(graph.constants[left])
    weight = graph.constant(f"{node.name}.weight", stored.T)
    flipped, product = (graph.name(f"{node.name}.{part}") for part in ("input", "product"))
    return [
        helper.make_node("Transpose", [right], [flipped], perm=swap),
        helper.make_node("MatMul", [flipped, weight], [product], node.name),
        helper.make_node("Transpose", [product], list(node.output), perm=swap),
    ]


def _single_column(node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
    """X @ w = (x @ W) without its last axis, for a vector w and a matrix W of this one column."""
    left, right = node.input
    stored = values_of(graph.constants[right])
    build = graph.builder(node.name)
    weight = build.constant("weight", stored[:, None])
    product = build.add_named(node.name, "MatMul", [left, weight], "product")
    axis = build.constant("column_axis", np.asarray([-1]))
    build.add("Squeeze", [product, axis], "without_columns", node.output[0])
    return graph.finish(build)


def _letters(rank: int, axes: int, *, constant_left: bool) -> Letters:
    """Name the axes of a product: the last ones of all operands are the same.

    Args:
        rank: axes of the activation.
        axes: axes of the constant.
        constant_left: whether the constant is the left operand.
    """
    batch = string.ascii_uppercase[: max(rank, axes, 2) - 2]

    def of(count: int, matrix: str, vector: str) -> str:
        return vector if count == 1 else batch[len(batch) - (count - 2) :] + matrix

    counts = (axes, rank) if constant_left else (rank, axes)
    left, right = of(counts[0], "mk", "k"), of(counts[1], "kn", "k")
    result = batch + "".join(letter for letter in "mn" if letter in left + right)
    return Letters(right, left, result) if constant_left else Letters(left, right, result)


OPERATOR: Operator = MatMul()
