"""Check that shapes fit together and into memory, as far as they are known before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import onnx

from rxsim.errors import ModelError
from rxsim.load.tensors import bytes_taken, shortened
from rxsim.onnx_graph import attributes, constants, inferred_values, shape_of, values_of
from rxsim.operators import Layer, operator_of

# Assumption: no network makes a larger tensor of an input; a damaged file may ask for 2**60 bytes.
_LARGEST_TENSOR = 2**31


def check_sizes(model: onnx.ModelProto, path: Path) -> None:
    """Refuse a model with a tensor that no memory holds; a free axis counts as 1.

    Constants are in memory already.

    Raises:
        ModelError: naming the tensor.
    """
    stored = constants(model)
    for value in inferred_values(model):
        if value.name in stored:
            continue
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
    """Refuse what an operator finds damaged, and normalisation by the batch at hand.

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
        if node.op_type == "Dropout" and _is_on(stored, node.input[2:3]):
            raise ModelError(
                f"model {path}: its node {node.name} (Dropout) is in training mode, expected "
                "inference: its result is random; export the model in evaluation mode"
            )
        operator = operator_of(node)
        problem = "" if operator is None else operator.damage(node, stored)
        if problem:
            raise _wrong_layer(path, node.name, problem)


def _is_on(stored: Mapping[str, onnx.TensorProto], names: Iterable[str]) -> bool:
    """Tell whether a switch among the inputs of a node is on, as far as it is known."""
    return any(values_of(stored[name]).any() for name in names if name in stored)


def check_layers(model: onnx.ModelProto, layers: Iterable[Layer], path: Path) -> None:
    """Check every layer's weights and bias against its input, where its shape is known.

    Raises:
        ModelError: naming the layer.
    """
    shapes = {value.name: shape_of(value) for value in inferred_values(model)}
    stored = constants(model)
    for layer in layers:
        problem = layer.operator.misfit(layer, shapes.get(layer.input), stored)
        if problem:
            raise _wrong_layer(path, layer.name, problem)


def _wrong_layer(path: Path, name: str, problem: str) -> ModelError:
    return ModelError(
        f"model {path}: layer {name}: {problem}; correct the model or export it again"
    )
