"""Matrix products of quantised operands, weights on either side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting, Shape
from rxsim.operators import Constants
from rxsim.operators._quantised import (
    QuantisedProduct,
    dequantise,
    dequantised_weights,
    matrix_macs,
    transpose,
)


class QuantisedMatMul(QuantisedProduct):
    """Operators that become a MatMul."""

    weights_first = True

    def channels(self, node: onnx.NodeProto, constants: Constants) -> int:
        """Return the axis of the columns, or of the rows of weights to the left."""
        return -2 if self.is_turned(node, constants) else -1

    def add_matmul(self, node: onnx.NodeProto, graph: Rewriting, build: GraphBuilder) -> str:
        """Write the product; return its tensor.

        A vector of scales or zero points belongs to the columns of the second operand, and to the rows
        of the first.
        """
        first, second = self.operands(node)
        if self.is_turned(node, graph.constants):
            return self._turned(node, graph, build)
        weights = dequantised_weights(graph, second, -1)
        floats = dequantise(build, graph, first, by_arithmetic=weights.ndim > 2)
        return self._matmul(node, build, [floats, build.constant("weight", weights)])

    def _turned(self, node: onnx.NodeProto, graph: Rewriting, build: GraphBuilder) -> str:
        """Write W @ x as (x^T @ W^T)^T, where axes are known; else leave the sides as they are.

        Integers are turned, not the floats behind them (see `dequantise`).
        """
        held, source = self.operands(node)
        weights = dequantised_weights(graph, held, -2)
        rank = graph.ranks.get(source.values, 0)
        if rank < 2 or weights.ndim < 2:
            floats = dequantise(build, graph, source)
            return self._matmul(node, build, [build.constant("weight", weights), floats])
        integers = transpose(build, graph, source.values, _swapped(rank), "turned")
        turned = replace(source, values=integers)
        floats = dequantise(build, graph, turned, by_arithmetic=weights.ndim > 2)
        right = build.constant("weight", weights.swapaxes(-1, -2))
        product = self._matmul(node, build, [floats, right])
        axes = _swapped(max(rank, weights.ndim))
        return build.add("Transpose", [product], "turned_back", perm=axes)

    def _matmul(self, node: onnx.NodeProto, build: GraphBuilder, inputs: list[str]) -> str:
        product = build.add_named(node.name, "MatMul", inputs, "product")
        return product

    def add_bias(self, build: GraphBuilder, floats: str, bias: str, output: str) -> None:
        """Add a float bias, where there is one, and give the result its name."""
        if bias:
            floats = build.add("Add", [floats, bias], "biased")
        build.give(floats, output)

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the terms of each entry of the result."""
        first, second = (shapes.get(operand.values) for operand in self.operands(node))
        return matrix_macs(first, second)


def _swapped(rank: int) -> list[int]:
    """Return the order of axes that swaps the last two."""
    return [*range(rank - 2), rank - 1, rank - 2]


def optional(node: onnx.NodeProto, place: int) -> str:
    """Return the name of an input that may be left out; empty where it is."""
    return node.input[place] if len(node.input) > place else ""
