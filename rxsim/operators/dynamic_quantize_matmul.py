"""onnxruntime's DynamicQuantizeMatMul: activations quantised by their own range, then a product."""

from __future__ import annotations

from dataclasses import replace

import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting
from rxsim.operators import Operator
from rxsim.operators._quantised import Operand, dequantise, dequantised_weights
from rxsim.operators._quantised_matmul import QuantisedMatMul, optional


class DynamicQuantizeMatMul(QuantisedMatMul):
    """Matrix products of float activations, which it quantises, and integer weights."""

    op_types = (("com.microsoft", "DynamicQuantizeMatMul"),)
    weights_first = False

    def operands(self, node: onnx.NodeProto) -> tuple[Operand, Operand]:
        """Return the floats and the weights."""
        source, held, scale = node.input[:3]
        return Operand(source), Operand(held, scale, optional(node, 3))

    def rewrite(self, node: onnx.NodeProto, graph: Rewriting, build: GraphBuilder) -> None:
        """Quantise by DynamicQuantizeLinear, which stays digital; add the bias to the product."""
        source, held = self.operands(node)
        names = [build.name(part) for part in ("quantised", "scale", "zero_point")]
        build.nodes.append(
            onnx.helper.make_node("DynamicQuantizeLinear", [source.values], names, names[0])
        )
        shape = graph.shape(source.values)
        for name, kind, axes in zip(
            names,
            (onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8),
            (shape, (), ()),
            strict=True,
        ):
            graph.note(name, kind, axes)
        weights = build.constant("weight", dequantised_weights(graph, held, -1))
        floats = dequantise(build, graph, replace(source, **_named(names)))
        product = build.add_named(node.name, "MatMul", [floats, weights], "product")
        self.add_bias(build, product, optional(node, 4), node.output[0])


def _named(names: list[str]) -> dict[str, str]:
    return dict(zip(("values", "scale", "zero_point"), names, strict=True))


OPERATOR: Operator = DynamicQuantizeMatMul()
