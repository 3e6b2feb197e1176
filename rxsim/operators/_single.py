"""Shared answers of operators with a product a node, nothing to rewrite, no normalisation folded in."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting, Shape
from rxsim.operators import Affine, Constants, Layer, Multiply


class SingleProduct:
    """An operator whose node is a single product of its first input, with no bias."""

    maps = True

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Leave the node as it is."""
        return [node]

    def damage(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Find no damage."""
        return ""

    def misfit(self, layer: Layer, data: Shape | None, constants: Constants) -> str:
        """Find nothing that does not fit."""
        return ""

    def affine(self, node: onnx.NodeProto, constants: Constants) -> Affine | None:
        """Take no normalisation in."""
        return None

    def set_affine(self, node: onnx.NodeProto, weight: str, bias: str) -> None:
        """Read weight and bias as the second and the third input."""
        for place, name in ((1, weight), (2, bias)):
            if place < len(node.input):
                node.input[place] = name
            elif name:
                node.input.append(name)

    def write(
        self,
        build: GraphBuilder,
        layers: Sequence[Layer],
        multiply: Multiply,
        constants: Constants,
    ) -> list[str]:
        """Write the product alone."""
        (layer,) = layers
        return [multiply(build, layer, layer.input)]
