"""Conv: a window of every channel drives the wordlines at each place of the output."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

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


class Conv(SingleProduct):
    """Convolutions of any number of spatial axes, in groups, strided, dilated and padded."""

    op_types = (("", "Conv"),)

    def damage(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Find groups that do not split the outputs."""
        return groups_damage(node, constants, "outputs")

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Take constant weights of floats and an input that is no constant."""
        return why_not_convolution(node, constants)

    def products(self, node: onnx.NodeProto, constants: Constants) -> Sequence[Product]:
        """Give each group its matrix: rows channel first, then kernel position."""
        stored = values_of(constants[node.input[1]])
        groups = int(attributes(node).get("group", 1))
        per_group = stored.reshape(groups, stored.shape[0] // groups, -1)
        kernel = tuple(stored.shape[2:])
        return [
            Product(
                stored=stored,
                matrices=per_group.transpose(0, 2, 1),
                input=node.input[0],
                layout=Layout(1, len(kernel), kernel),
            )
        ]

    def misfit(self, layer: Layer, data: Shape | None, constants: Constants) -> str:
        """Compare kernel_shape, axes, bias and channels with the weights."""
        return conv_misfit(layer, data, constants, layer.kernel, layer.n_channels)

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the weights of an output channel for each entry of the result."""
        if shapes.get(node.input[0]) is None:
            return None
        return conv_macs(shapes, node.input[1], node.output[0])

    def affine(self, node: onnx.NodeProto, constants: Constants) -> Affine | None:
        """Give constant weights and bias."""
        weights, bias = constants.get(node.input[1]), constants.get(bias_of(node))
        if weights is None or (bias_of(node) and bias is None):
            return None
        added = None if bias is None else values_of(bias).astype(np.float64)
        given = attributes(node)
        same = given.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER")
        return Affine(
            values_of(weights),
            0,
            added,
            input_axis=1,
            groups=given.get("group", 1),
            padded=any(axis > 1 for axis in weights.dims[2:])
            if same
            else any(given.get("pads", ())),
        )

    def windows(self, layer: Layer, values: np.ndarray) -> Windows:
        """Lay windows over the padded input; positions are row-major along the output's axes."""
        given = attributes(layer.node)
        n_axes = len(layer.kernel)
        strides = np.asarray(given.get("strides", [1] * n_axes))
        dilations = np.asarray(given.get("dilations", [1] * n_axes))
        reach = (np.asarray(layer.kernel) - 1) * dilations + 1
        spatial = np.asarray(values.shape[2:])
        before, after = _pads(given, spatial, strides, reach)
        padded = np.pad(values, [(0, 0), (0, 0), *zip(before, after, strict=True)])
        out = np.maximum((spatial + before + after - reach) // strides + 1, 0)
        steps = np.array([math.prod(padded.shape[axis + 1 :]) for axis in range(padded.ndim)])

        corners = np.indices((len(values), *out)).reshape(1 + n_axes, -1)
        starts = corners[0] * steps[0] + (corners[1:] * (strides * steps[2:])[:, None]).sum(axis=0)
        kernel = np.indices(layer.kernel).reshape(n_axes, -1)
        inner = (kernel * (dilations * steps[2:])[:, None]).sum(axis=0)
        distances = (np.arange(values.shape[1])[:, None] * steps[1] + inner[None, :]).ravel()
        return Windows(starts, distances, padded.ravel())

    def add_product(self, build: GraphBuilder, layer: Layer, source: str, part: MatrixPart) -> str:
        """Write a Conv over the channels that the rows touch, its kernel zero where no row lies."""
        return add_windowed_product(build, layer, source, part, attributes(layer.node))

    def write(
        self,
        build: GraphBuilder,
        layers: Sequence[Layer],
        multiply: Multiply,
        constants: Constants,
    ) -> list[str]:
        """Add the bias, a value for each channel."""
        (layer,) = layers
        total = multiply(build, layer, layer.input)
        return [add_channel_bias(build, layer, total, constants)]


def _pads(
    given: dict[str, Any], spatial: np.ndarray, strides: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the zeros before and after each spatial axis.

    Source: ONNX's Conv: SAME gives ceil(size/stride) outputs, the odd zero at the end (SAME_UPPER) or
    at the beginning (SAME_LOWER).
    """
    n_axes = len(spatial)
    auto = given.get("auto_pad", b"NOTSET")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        total = np.maximum((-(-spatial // strides) - 1) * strides + reach - spatial, 0)
        smaller = total // 2
        ends = (smaller, total - smaller)
        return ends if auto == b"SAME_UPPER" else (ends[1], ends[0])
    pads = np.zeros(2 * n_axes, dtype=np.int64)
    if auto != b"VALID" and "pads" in given:
        pads[:] = given["pads"]
    return pads[:n_axes], pads[n_axes:]


OPERATOR: Operator = Conv()
