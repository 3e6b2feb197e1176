"""onnxruntime's FusedMatMul: transposed operands and a factor around a MatMul; it becomes these."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting, Shape, attributes, n_entries, values_of
from rxsim.operators import Constants, Operator
from rxsim.operators._shared import why_not_weights
from rxsim.operators._without_products import WithoutProducts


class FusedMatMul(WithoutProducts):
    """Matrix products of files that onnxruntime has optimised; its older name is TransposeMatMul."""

    op_types = (("com.microsoft", "FusedMatMul"), ("com.microsoft", "TransposeMatMul"))

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Write a MatMul; the factor belongs to the weights."""
        known = graph.constants
        if self._problem(node, known):
            return [node]
        perms = [_perm(node, place, _rank(node.input[place], graph)) for place in (0, 1)]
        if any(perm is None for perm in perms):
            return [node]
        build = graph.builder(node.name)
        operands = [
            self._operand(node.input[place], perm or [], node, graph, build)
            for place, perm in enumerate(perms)
        ]
        product = build.add_named(node.name, "MatMul", operands, "product")
        build.give(product, node.output[0])
        return graph.finish(build)

    def _operand(
        self,
        name: str,
        perm: list[int],
        node: onnx.NodeProto,
        graph: Rewriting,
        build: GraphBuilder,
    ) -> str:
        """Transpose an operand; multiply it by alpha where it is the constant."""
        plain = perm == sorted(perm)
        if name in graph.constants:
            stored = values_of(graph.constants[name])
            alpha = attributes(node).get("alpha", 1.0)
            if plain and alpha == 1.0:
                return name
            scaled = (stored.astype(np.float64) * alpha).astype(stored.dtype)
            return build.constant("weight", scaled if plain else scaled.transpose(perm))
        if plain:
            return name
        turned = build.add("Transpose", [name], "input", perm=perm)
        shape = graph.shape(name)
        assert shape is not None
        kind = graph.element_type(name)
        graph.note(turned, kind, tuple(shape[axis] for axis in perm))
        return turned

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Say why a node can't be rewritten."""
        return self._problem(node, constants) or (
            "it transposes an operand whose number of axes is not known"
        )

    def _problem(self, node: onnx.NodeProto, constants: Constants) -> str:
        held = [constants[name] for name in node.input if name in constants]
        if len(held) == 2:
            return "both of its operands are constant"
        return why_not_weights(held[0] if held else None)

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the terms of each entry of the result."""
        moved: list[tuple[int, ...]] = []
        for place in (0, 1):
            shape = shapes.get(node.input[place])
            perm = _perm(node, place, None if shape is None else len(shape))
            if shape is None or perm is None or n_entries(shape) is None:
                return None
            moved.append(tuple(int(shape[axis] or 0) for axis in perm))
        left, right = moved
        try:
            batch = np.broadcast_shapes(left[:-2], right[:-2])
        except ValueError:
            return None
        rows = left[-2] if len(left) > 1 else 1
        columns = right[-1] if len(right) > 1 else 1
        return int(np.prod(batch, dtype=np.int64)) * rows * left[-1] * columns


def _rank(name: str, graph: Rewriting) -> int | None:
    shape = graph.shape(name)
    return None if shape is None else len(shape)


def _perm(node: onnx.NodeProto, place: int, rank: int | None) -> list[int] | None:
    """Return how an operand's axes are ordered before the product; None where its rank must be known.

    Source: onnxruntime's FusedMatMul: transBatchA moves the first axis to the last but one, transA
    swaps the last two; neither does anything to a vector.
    """
    given, side = attributes(node), "AB"[place]
    swaps, moves = (given.get(f"trans{what}{side}", 0) for what in ("", "Batch"))
    if not swaps and not moves:
        return list(range(rank or 0))
    if rank is None:
        return None
    perm = list(range(rank))
    if moves and rank > 2:
        perm = [*perm[1:-1], 0, rank - 1]
    if swaps and rank > 1:
        perm[-2:] = perm[:-3:-1]
    return perm


OPERATOR: Operator = FusedMatMul()
