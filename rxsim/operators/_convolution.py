"""What Conv and ConvTranspose share: checks, the product over channels, the bias, the count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from rxsim.onnx_graph import GraphBuilder, Shape, attributes, n_entries, take, values_of
from rxsim.operators import Constants, Layer, MatrixPart
from rxsim.operators._shared import as_float, bias_of, dims_of, terms_misfit, why_not_weights


def groups_damage(node: onnx.NodeProto, constants: Constants, what: str) -> str:
    """Find groups that do not split the first axis of constant weights.

    Args:
        node: the node.
        constants: of the model.
        what: lies along that axis.
    """
    weights = constants.get(node.input[1]) if len(node.input) > 1 else None
    if weights is None or not weights.dims:
        return ""
    groups, shape = attributes(node).get("group", 1), list(weights.dims)
    if groups >= 1 and shape[0] % groups == 0:
        return ""
    return f"found group {groups}, expected a divisor of the {shape[0]} {what} of its weights"


def why_not_convolution(node: onnx.NodeProto, constants: Constants) -> str:
    """Take constant weights of floats and an input that is no constant."""
    if node.input[0] in constants:
        return "its input is constant and its weights are not"
    return why_not_weights(constants.get(node.input[1]))


def conv_misfit(
    layer: Layer,
    data: Shape | None,
    constants: Constants,
    kernel: tuple[int, ...],
    channels: int,
) -> str:
    """Compare kernel_shape, axes, bias and channels with the weights.

    Args:
        layer: the layer.
        data: shape of its input, as far as it is known.
        constants: of the model.
        kernel: of its weights.
        channels: of its node's output.
    """
    given = attributes(layer.node).get("kernel_shape")
    if given is not None and tuple(given) != kernel:
        return f"found kernel_shape {list(given)}, expected {list(kernel)} of its weights"
    weights = constants[layer.node.input[1]].dims
    if data is not None and len(data) != len(weights):
        return f"found an input of {len(data)} axes, expected {len(weights)} as its weights have"
    bias = dims_of(constants.get(bias_of(layer.node)))
    if bias is not None and bias != (channels,):
        return f"found a bias of shape {list(bias)}, expected [{channels}]"
    given_channels = None if data is None else data[1]
    return terms_misfit("channels", given_channels, layer.input_channels, weights, layer.groups)


def conv_macs(shapes: Mapping[str, Shape | None], weights: str, values: str) -> int | None:
    """Count the products of a convolution: each value meets the weights of a channel.

    Args:
        shapes: of all tensors.
        weights: name of the weights, whose first axis counts their channels.
        values: name of the tensor whose every entry is a sum of, or is multiplied by, as many weights.
    """
    held, size = n_entries(shapes.get(weights)), n_entries(shapes.get(values))
    channels = shapes.get(weights)
    if held is None or size is None or channels is None:
        return None
    return size * (held // int(channels[0] or 1))


def add_windowed_product(
    build: GraphBuilder, layer: Layer, source: str, part: MatrixPart, given: dict[str, Any]
) -> str:
    """Write a Conv over the channels that the rows touch, its kernel zero where no row lies.

    Args:
        build: takes the nodes.
        layer: the layer.
        source: name of the tensor that drives.
        part: rows and matrix.
        given: attributes of the Conv.
    """
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
    return build.add("Conv", inputs, part.name, **{**given, "group": groups})


def add_channel_bias(build: GraphBuilder, layer: Layer, total: str, constants: Constants) -> str:
    """Add a node's bias, a value for each channel of its output; nothing to do where it has none."""
    bias = bias_of(layer.node)
    if not bias:
        return total
    if bias in constants:
        value = values_of(constants[bias]).astype(np.float64)
        bias = build.constant("bias", layer.along_channels(value).astype(np.float32))
    else:
        bias = as_float(build, bias, layer.dtype, "bias_input")
        shape = build.constant("bias_shape", np.asarray([-1] + [1] * len(layer.kernel)))
        bias = build.add("Reshape", [bias, shape], "bias_shaped")
    return build.add("Add", [total, bias], "biased")


def _pad_channels(build: GraphBuilder, source: str, missing: int, n_axes: int, part: str) -> str:
    """Drive the rows of a block's empty places at 0 V."""
    pads = np.zeros(2 * (n_axes + 2), dtype=np.int64)
    pads[n_axes + 3] = missing
    return build.add("Pad", [source, build.constant(f"pads_{part}", pads)], f"padded_{part}")
