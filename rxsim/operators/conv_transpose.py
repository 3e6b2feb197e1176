"""ConvTranspose: the channels of an input place drive the wordlines; the bitlines are its whole window.

A place of the input gives prod(kernel) values for each output channel, which an array computes at once.
What overlaps is added digitally.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from rxsim.onnx_graph import GraphBuilder, Shape, attributes, values_of
from rxsim.operators import (
    Affine,
    Constants,
    Layer,
    Layout,
    MatrixPart,
    Multiply,
    Operator,
    Product,
    Windows,
)
from rxsim.operators._convolution import (
    add_channel_bias,
    add_windowed_product,
    conv_macs,
    conv_misfit,
    groups_damage,
    why_not_convolution,
)
from rxsim.operators._shared import bias_of
from rxsim.operators._single import SingleProduct


class ConvTranspose(SingleProduct):
    """Transposed convolutions of any number of spatial axes, in groups, with every attribute."""

    op_types = (("", "ConvTranspose"),)

    def damage(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Find groups that do not split the inputs."""
        return groups_damage(node, constants, "inputs")

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Take constant weights of floats and an input that is no constant."""
        return why_not_convolution(node, constants)

    def products(self, node: onnx.NodeProto, constants: Constants) -> Sequence[Product]:
        """Give each group its matrix: columns output channel first, then kernel position."""
        stored = values_of(constants[node.input[1]])
        groups = int(attributes(node).get("group", 1))
        n_axes = stored.ndim - 2
        return [
            Product(
                stored=stored,
                matrices=stored.reshape(groups, stored.shape[0] // groups, -1),
                input=node.input[0],
                layout=Layout(1, n_axes, (1,) * n_axes),
            )
        ]

    def misfit(self, layer: Layer, data: Shape | None, constants: Constants) -> str:
        """Compare kernel_shape, axes, bias and channels with the weights."""
        weights = constants[layer.node.input[1]].dims
        return conv_misfit(
            layer, data, constants, tuple(weights[2:]), layer.groups * int(weights[1])
        )

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the weights of an input channel for each entry of the input."""
        return conv_macs(shapes, node.input[1], node.input[0])

    def affine(self, node: onnx.NodeProto, constants: Constants) -> Affine | None:
        """Give constant weights and bias; each group of inputs has outputs of its own."""
        weights, bias = constants.get(node.input[1]), constants.get(bias_of(node))
        if weights is None or (bias_of(node) and bias is None) or self.damage(node, constants):
            return None
        added = None if bias is None else values_of(bias).astype(np.float64)
        groups = int(attributes(node).get("group", 1))
        return Affine(values_of(weights), 1, added, groups=groups)

    def windows(self, layer: Layer, values: np.ndarray) -> Windows:
        """Lay out the channels of each input place; places are row-major along the input's axes."""
        places = math.prod(values.shape[2:])
        first = np.arange(len(values))[:, None] * values.shape[1] * places
        starts = (first + np.arange(places)).ravel()
        return Windows(starts, np.arange(values.shape[1]) * places, values.ravel())

    def add_product(self, build: GraphBuilder, layer: Layer, source: str, part: MatrixPart) -> str:
        """Write a Conv with a kernel of one place: prod(kernel) values for each output channel."""
        return add_windowed_product(build, layer, source, part, {})

    def write(
        self,
        build: GraphBuilder,
        layers: Sequence[Layer],
        multiply: Multiply,
        constants: Constants,
    ) -> list[str]:
        """Add up what overlaps, and the bias."""
        (layer,) = layers
        total = multiply(build, layer, layer.input)
        _, per_group, *kernel = constants[layer.node.input[1]].dims
        channels, places = layer.groups * per_group, math.prod(kernel)
        # Each channel's values go to their place of the window: a kernel with a single one for each.
        unit = np.tile(np.eye(places, dtype=np.float32), (channels, 1))
        windows = build.constant("window", unit.reshape(channels * places, 1, *kernel))
        given = {**attributes(layer.node), "group": channels}
        total = build.add("ConvTranspose", [total, windows], "overlapped", **given)
        return [add_channel_bias(build, layer, total, constants)]


OPERATOR: Operator = ConvTranspose()
