"""onnxruntime's FusedGemm: a Gemm and an activation in one node; it becomes these."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper

from rxsim.onnx_graph import Rewriting, Shape, attributes, n_entries
from rxsim.operators import Constants, Operator
from rxsim.operators._activation import add_activation, is_activation
from rxsim.operators._shared import why_not_weights
from rxsim.operators._without_products import WithoutProducts

_PREFIX = "activation_"


class FusedGemm(WithoutProducts):
    """Matrix products of files that onnxruntime has optimised."""

    op_types = (("com.microsoft", "FusedGemm"),)

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Write Gemm and the activation."""
        if self.why_not(node, graph.constants):
            return [node]
        given = attributes(node)
        build = graph.builder(node.name)
        plain = {name: given[name] for name in given if not name.startswith("activation")}
        total = build.add_named(node.name, "Gemm", list(node.input), "product", **plain)
        parameters = {
            name.removeprefix(_PREFIX): given[name] for name in given if name.startswith(_PREFIX)
        }
        total = add_activation(
            build,
            given.get("activation", b"").decode(),
            parameters,
            total,
            np.dtype(helper.tensor_dtype_to_np_dtype(_kind(node, graph.constants))),
        )
        build.give(total, node.output[0])
        return graph.finish(build)

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Say why a node can't be rewritten."""
        activation = attributes(node).get("activation", b"").decode()
        if not is_activation(activation):
            return f"its activation {activation} is not known"
        held = [constants[name] for name in node.input[:2] if name in constants]
        if len(held) == 2:
            return "both of its operands are constant"
        return why_not_weights(held[0] if held else None)

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the terms of each entry of the result."""
        left, right = (shapes.get(name) for name in node.input[:2])
        if n_entries(left) is None or n_entries(right) is None or not left or not right:
            return None
        columns = right[0 if attributes(node).get("transB", 0) else 1]
        size = n_entries(left)
        return None if columns is None or size is None else size * columns


def _kind(node: onnx.NodeProto, constants: Constants) -> int:
    """Return the element type of a node's constant operand."""
    return next(constants[name].data_type for name in node.input[:2] if name in constants)


OPERATOR: Operator = FusedGemm()
