"""Check that shapes fit together and into memory, as far as they are known before anything runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import onnx

from rxsim.errors import ModelError
from rxsim.load.graph import attributes, constants, inferred_values
from rxsim.load.layers import Layer
from rxsim.load.shapes import Shape, shape_of
from rxsim.load.tensors import bytes_taken, shortened

# Assumption: no network makes a larger tensor of one input; a damaged file may ask for 2**60 bytes.
_LARGEST_TENSOR = 2**31


def check_sizes(model: onnx.ModelProto, path: Path) -> None:
    """Refuse a model with a tensor that no memory holds; a free axis counts as 1.

    Raises:
        ModelError: naming the tensor.
    """
    for value in inferred_values(model):
        n_bytes = bytes_taken(
            value.type.tensor_type.elem_type, [axis or 1 for axis in shape_of(value) or ()]
        )
        if n_bytes is not None and n_bytes > _LARGEST_TENSOR:
            raise ModelError(
                f"model {path}: its tensor {shortened(value.name)} takes {n_bytes / 2**30:.3g} GiB, "
                f"expected at most {_LARGEST_TENSOR // 2**30} GiB; export the model with smaller "
                "shapes or a free batch axis"
            )


def check_names(model: onnx.ModelProto, path: Path) -> None:
    """Refuse a model in which two constants share a name: which one counts would be chance.

    Raises:
        ModelError: naming the constant.
    """
    names = Counter(tensor.name for tensor in model.graph.initializer)
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        raise ModelError(
            f"model {path} holds the constant {shortened(twice)} twice, expected one of each name; "
            "export the model again"
        )


def check_nodes(model: onnx.ModelProto, path: Path) -> None:
    """Refuse groups that split no weights, and normalisation by the batch at hand.

    Raises:
        ModelError: naming the node.
    """
    stored = constants(model)
    for node in model.graph.node:
        if node.op_type == "BatchNormalization" and attributes(node).get("training_mode", 0):
            raise ModelError(
                f"model {path}: its node {node.name} (BatchNormalization) is in training mode, "
                "expected inference: a result would depend on the batch it is in; export the model "
                "in evaluation mode"
            )
        if node.op_type != "Conv" or len(node.input) < 2 or node.input[1] not in stored:
            continue
        groups, shape = attributes(node).get("group", 1), list(stored[node.input[1]].dims)
        if groups < 1 or (shape and shape[0] % groups):
            raise ModelError(
                f"model {path}: layer {node.name}: found group {groups}, expected a divisor of the "
                f"{shape[0]} outputs of its weights; correct the model or export it again"
            )


def check_layers(model: onnx.ModelProto, layers: Iterable[Layer], path: Path) -> None:
    """Check every layer's weights and bias against its input, where its shape is known.

    Raises:
        ModelError: naming the layer.
    """
    shapes = {value.name: shape_of(value) for value in inferred_values(model)}
    stored = {name: tuple(tensor.dims) for name, tensor in constants(model).items()}
    for layer in layers:
        problem = _misfit(layer, shapes.get(layer.input), stored)
        if problem:
            raise ModelError(
                f"model {path}: layer {layer.name}: {problem}; correct the model or export it again"
            )


def _misfit(layer: Layer, data: Shape | None, stored: Mapping[str, tuple[int, ...]]) -> str | None:
    """Say what does not fit, or return None."""
    node = layer.node
    weight = stored[node.input[1]]
    bias = stored.get(node.input[2]) if len(node.input) > 2 else None
    columns = layer.groups * layer.n_outputs
    if layer.op != "Conv":
        terms, what = (None if not data else data[-1]), "length"
        expected = layer.n_inputs
    else:
        given = attributes(node).get("kernel_shape")
        if given is not None and tuple(given) != layer.kernel:
            return f"found kernel_shape {list(given)}, expected {list(layer.kernel)} of its weights"
        if data is not None and len(data) != len(weight):
            return f"found an input of {len(data)} axes, expected {len(weight)} as its weights have"
        if bias is not None and bias != (columns,):
            return f"found a bias of shape {list(bias)}, expected [{columns}]"
        terms, what = (None if data is None else data[1]), "channels"
        expected = layer.groups * weight[1]
    if terms is not None and terms != expected:
        return (
            f"found {what} {terms} of its input, expected {expected} for its weights of shape "
            f"{list(weight)}" + (f" in {layer.groups} groups" if layer.groups > 1 else "")
        )
    if layer.op == "Gemm" and bias and math.prod(bias) > 1 and bias[-1] not in (1, columns):
        return f"found a bias of shape {list(bias)}, expected {columns} values"
    return None
