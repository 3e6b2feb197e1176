"""onnxruntime's FusedConv: a Conv, an addend and an activation in one node; it becomes these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
from onnx import helper

from rxsim.onnx_graph import Rewriting, Shape, attributes
from rxsim.operators import Constants, Operator
from rxsim.operators._activation import activation_parameters, add_activation, is_activation
from rxsim.operators._convolution import conv_macs, why_not_convolution
from rxsim.operators._without_products import WithoutProducts

_OWN = ("activation", "activation_params")


class FusedConv(WithoutProducts):
    """Convolutions of files that onnxruntime has optimised."""

    op_types = (("com.microsoft", "FusedConv"),)

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Write Conv, Add and the activation."""
        if self.why_not(node, graph.constants):
            return [node]
        given = attributes(node)
        build = graph.builder(node.name)
        plain: dict[str, Any] = {name: given[name] for name in given if name not in _OWN}
        total = build.add_named(node.name, "Conv", list(node.input[:3]), "product", **plain)
        if len(node.input) > 3 and node.input[3]:
            total = build.add("Add", [total, node.input[3]], "sum")
        name = given.get("activation", b"").decode()
        kind = graph.constants[node.input[1]].data_type
        total = add_activation(
            build,
            name,
            activation_parameters(name, given.get("activation_params", ())),
            total,
            helper.tensor_dtype_to_np_dtype(kind),
        )
        build.give(total, node.output[0])
        return graph.finish(build)

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Say why a node can't be rewritten."""
        activation = attributes(node).get("activation", b"").decode()
        if not is_activation(activation):
            return f"its activation {activation} is not known"
        return why_not_convolution(node, constants)

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the weights of an output channel for each entry of the result."""
        return conv_macs(shapes, node.input[1], node.output[0])


OPERATOR: Operator = FusedConv()
