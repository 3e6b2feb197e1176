"""The loaded network: the user's model, its normalised graph, its layers, and the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from rxsim.errors import ModelError
from rxsim.load.bodies import lift_constants, name_inner_nodes, nodes_looked_at
from rxsim.load.checks import check_layers, check_names, check_nodes, check_sizes
from rxsim.load.digital import reason_for
from rxsim.load.fold_batchnorm import fold_batchnorm
from rxsim.load.fold_constants import fold_constants
from rxsim.load.layers import find_layers
from rxsim.load.onnx_file import IN_MEMORY, name_nodes, read_onnx, take_onnx
from rxsim.load.orient import orient
from rxsim.load.upgrade import upgrade
from rxsim.onnx_graph import Shape, all_nodes, constants, shape_of
from rxsim.operators import Layer, mappable_types, user_op


@dataclass(frozen=True, slots=True)
class InputSpec:
    """An input tensor of a network; a None axis is free, the first axis is the batch."""

    name: str
    dtype: np.dtype
    shape: Shape

    @property
    def smallest(self) -> tuple[int, ...] | None:
        """Shape of the smallest batch (one input where the batch is free); None with free axes."""
        rest = tuple(axis for axis in self.shape[1:] if axis is not None)
        return (self.shape[0] or 1, *rest) if len(rest) == len(self.shape) - 1 else None


@dataclass(frozen=True, slots=True)
class DigitalNode:
    """A node that stays digital, and why."""

    name: str
    op: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Network:
    """A network ready to be mapped.

    Attributes:
        path: the user's file; its name alone stands for a model in memory.
        identity: SHA-256 of the file, or of the bytes of a model in memory.
        original: the user's model as read (nodes named): what `float32` runs.
        model: the normalised graph that layers refer to and that is patched.
        layers: the mappable layers in topological order.
        digital: every other node, with its reason.
        inputs: the input tensors that need data.
        output: name of the first output.
    """

    path: Path
    identity: str
    original: onnx.ModelProto
    model: onnx.ModelProto
    layers: tuple[Layer, ...]
    digital: tuple[DigitalNode, ...]
    inputs: tuple[InputSpec, ...]
    output: str

    @property
    def fixed_batch(self) -> int | None:
        """The batch size that the file prescribes, or None where it is free."""
        return self.inputs[0].shape[0]


def load_network(source: Path | onnx.ModelProto) -> Network:
    """Read and normalise an ONNX file, or a model that is in memory.

    Raises:
        ModelError: not ONNX, damaged, can't be normalised, or without a mappable layer.
    """
    path = source if isinstance(source, Path) else IN_MEMORY
    original, identity = read_onnx(source) if isinstance(source, Path) else take_onnx(source)
    check_names(original, path)
    check_sizes(original, path)
    model = onnx.ModelProto()
    model.CopyFrom(original)
    model = upgrade(model, path.name)
    name_nodes(model)
    lift_constants(model)
    fold_constants(model)
    fold_batchnorm(model)
    name_inner_nodes(model)
    # What `orient` adds is ours, not the user's.
    users = {node.name for node in nodes_looked_at(model)}
    orient(model)
    name_nodes(model)
    name_inner_nodes(model)
    check_nodes(model, path)
    layers, declined = find_layers(model)
    if not layers:
        raise ModelError(
            f"model {path} has no layer that a crossbar can hold {_in_the_way(model, declined)}"
        )
    check_layers(model, layers, path)
    mapped = {layer.node.name for layer in layers}
    digital = tuple(
        DigitalNode(node.name, node.op_type, declined.get(node.name) or reason_for(node.op_type))
        for node in nodes_looked_at(model)
        if node.name in users - mapped
    )
    return Network(
        path=path,
        identity=identity,
        original=original,
        model=model,
        layers=tuple(layers),
        digital=digital,
        inputs=_input_specs(model, path),
        output=model.graph.output[0].name,
    )


def _in_the_way(model: onnx.ModelProto, declined: Mapping[str, str]) -> str:
    """Name the operators that stand in the way of mapping, and what could be mapped."""
    ops = {node.name: user_op(node) for node in all_nodes(model.graph)}
    reasons = [f"{name} ({ops[name]}): {reason}" for name, reason in declined.items()]
    if not reasons:
        kinds = Counter(node.op_type for node in all_nodes(model.graph))
        reasons = [f"it is made of {', '.join(kind for kind, _ in kinds.most_common(5))}"]
    *others, last = mappable_types()
    more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return (
        f"({'; '.join(reasons[:3])}{more}), expected a {', '.join(others)} or {last} with constant "
        "weights; freeze the weights and export the model again"
    )


def _input_specs(model: onnx.ModelProto, path: Path) -> tuple[InputSpec, ...]:
    known = constants(model)
    given = [value for value in model.graph.input if value.name not in known]
    if not given:
        raise ModelError(f"model {path} has no input: it computes a constant; export it again")
    return tuple(_input_spec(value, f"model {path}: its input {value.name}") for value in given)


def _input_spec(value: onnx.ValueInfoProto, where: str) -> InputSpec:
    if not value.type.HasField("tensor_type"):
        kind = (value.type.WhichOneof("value") or "unknown").removesuffix("_type").replace("_", " ")
        raise ModelError(
            f"{where} is of the type {kind}, expected a tensor; export it with tensors"
        )
    shape = shape_of(value)
    if not shape:
        what = "shape" if shape is None else "axes"
        raise ModelError(
            f"{where} has no {what}, expected at least a batch axis; export the model with input "
            "shapes"
        )
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
    return InputSpec(value.name, dtype, shape)
