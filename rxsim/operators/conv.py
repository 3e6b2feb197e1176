"""Conv: a window of every channel drives the wordlines at each place of the output."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from rxsim.onnx_graph import GraphBuilder, Shape, attributes, take
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
from rxsim.operators._shared import (
    as_float,
    bias_of,
    conv_macs,
    dims_of,
    terms_misfit,
    why_not_weights,
)
from rxsim.operators._single import SingleProduct


class Conv(SingleProduct):
    """Convolutions of any number of spatial axes, in groups, strided, dilated and padded."""

    op_types = (("", "Conv"),)

    def damage(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Find groups that do not split the outputs."""
        weights = constants.get(node.input[1]) if len(node.input) > 1 else None
        if weights is None or not weights.dims:
            return ""
        groups, shape = attributes(node).get("group", 1), list(weights.dims)
        if groups >= 1 and shape[0] % groups == 0:
            return ""
        return f"found group {groups}, expected a divisor of the {shape[0]} outputs of its weights"

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Take constant weights of floats and an input that is no constant."""
        if node.input[0] in constants:
            return "its input is constant and its weights are not"
        return why_not_weights(constants.get(node.input[1]))

    def products(self, node: onnx.NodeProto, constants: Constants) -> Sequence[Product]:
        """Give each group its matrix: rows channel first, then kernel position."""
        stored = numpy_helper.to_array(constants[node.input[1]])
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
        given = attributes(layer.node).get("kernel_shape")
        if given is not None and tuple(given) != layer.kernel:
            return f"found kernel_shape {list(given)}, expected {list(layer.kernel)} of its weights"
        weights = constants[layer.node.input[1]].dims
        if data is not None and len(data) != len(weights):
            return (
                f"found an input of {len(data)} axes, expected {len(weights)} as its weights have"
            )
        bias, columns = dims_of(constants.get(bias_of(layer.node))), layer.groups * layer.n_outputs
        if bias is not None and bias != (columns,):
            return f"found a bias of shape {list(bias)}, expected [{columns}]"
        channels = None if data is None else data[1]
        return terms_misfit("channels", channels, layer.input_channels, weights, layer.groups)

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
        added = None if bias is None else numpy_helper.to_array(bias).astype(np.float64)
        given = attributes(node)
        same = given.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER")
        return Affine(
            numpy_helper.to_array(weights),
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
        positions, groups, rows = layer.kernel_size, part.groups, part.rows
        channels, columns = part.n_inputs // positions, part.matrix.shape[2]
        touched = np.unique(rows // positions)
        place = np.searchsorted(touched, rows // positions) * positions + rows % positions
        kernel = np.zeros((groups, columns, len(touched) * positions), dtype=np.float32)
        kernel[:, :, place] = part.matrix.transpose(0, 2, 1)
        kernel = kernel.reshape(groups * columns, len(touched), *layer.kernel)
        wanted = (np.arange(groups)[:, None] * channels + touched[None, :]).ravel()
        missing = groups * channels - layer.input_channels
        if missing > 0:
            source = _pad_channels(build, source, missing, len(layer.kernel), part.name)
        source = take(build, source, wanted, groups * channels, 1, f"channels_{part.name}")
        inputs = [source, build.constant(f"kernel_{part.name}", kernel)]
        if part.added is not None:
            added = part.added.ravel().astype(np.float32)
            inputs.append(build.constant(f"added_{part.name}", added))
        return build.add("Conv", inputs, part.name, **{**attributes(layer.node), "group": groups})

    def write(
        self,
        build: GraphBuilder,
        layers: Sequence[Layer],
        multiply: Multiply,
        constants: Constants,
    ) -> list[str]:
        """Add the bias, a value for each channel."""
        (layer,) = layers
        total, bias = multiply(build, layer, layer.input), bias_of(layer.node)
        if not bias:
            return [total]
        if bias in constants:
            value = numpy_helper.to_array(constants[bias]).astype(np.float64)
            bias = build.constant("bias", layer.along_channels(value).astype(np.float32))
        else:
            bias = as_float(build, bias, layer.dtype, "bias_input")
            shape = build.constant("bias_shape", np.asarray([-1] + [1] * len(layer.kernel)))
            bias = build.add("Reshape", [bias, shape], "bias_shaped")
        return [build.add("Add", [total, bias], "biased")]


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


def _pad_channels(build: GraphBuilder, source: str, missing: int, n_axes: int, part: str) -> str:
    """Drive the rows of a block's empty places at 0 V."""
    pads = np.zeros(2 * (n_axes + 2), dtype=np.int64)
    pads[n_axes + 3] = missing
    return build.add("Pad", [source, build.constant(f"pads_{part}", pads)], f"padded_{part}")


OPERATOR: Operator = Conv()
