"""Matrix products x @ W: the last axis of the activations drives the wordlines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from rxsim.onnx_graph import GraphBuilder, Shape, n_entries, take
from rxsim.operators import Constants, Layer, MatrixPart, Windows
from rxsim.operators._shared import terms_misfit, why_not_weights
from rxsim.operators._single import SingleProduct


class MatrixProduct(SingleProduct):
    """An operator that multiplies rows of activations by a constant K x N matrix, its second input."""

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Take a constant right operand of floats, and a left one that is no constant."""
        if node.input[0] in constants:
            return "its left operand is constant and its right one is not"
        return why_not_weights(constants.get(node.input[1]))

    def misfit(self, layer: Layer, data: Shape | None, constants: Constants) -> str:
        """Compare the length of the last axis with the weights' rows."""
        weights = constants[layer.node.input[1]].dims
        return terms_misfit("length", data[-1] if data else None, layer.n_inputs, weights)

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the terms of each entry of the result."""
        left, size = shapes.get(node.input[0]), n_entries(shapes.get(node.output[0]))
        if n_entries(shapes.get(node.input[1])) is None or left is None or size is None:
            return None
        terms = left[self.terms_axis(node)]
        return None if terms is None else size * terms

    def terms_axis(self, node: onnx.NodeProto) -> int:
        """Return the axis of the left operand that is summed over."""
        return -1

    def windows(self, layer: Layer, values: np.ndarray) -> Windows:
        """Lay out the rows: each is a position."""
        flat = values.ravel()
        return Windows(np.arange(0, flat.size, layer.n_inputs), np.arange(layer.n_inputs), flat)

    def add_product(self, build: GraphBuilder, layer: Layer, source: str, part: MatrixPart) -> str:
        """Write a MatMul over the rows that take part."""
        source = take(build, source, part.rows, part.n_inputs, -1, f"rows_{part.name}")
        order = np.argsort(part.rows, kind="stable")
        matrix = part.matrix[0][order].astype(np.float32)
        weight = build.constant(f"matrix_{part.name}", matrix)
        if part.added is None:
            return build.add("MatMul", [source, weight], part.name)
        product = build.add("MatMul", [source, weight], f"driven_{part.name}")
        constant = build.constant(f"added_{part.name}", part.added[0].astype(np.float32))
        return build.add("Add", [product, constant], part.name)
