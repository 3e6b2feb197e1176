"""The values that a graph holds: which are trained, and what they are called in a torch Module."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from typing import cast

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from rxsim.errors import InputError, ModelError
from rxsim.onnx_graph import attributes
from rxsim.retrain.onnx_operators.conversions import FLOATS, TYPES, type_name

Trained = Callable[[str], bool] | Collection[str]
"""Which float initialisers are trained: their names, or what tells for a name."""


def held_as(name: str) -> str:
    """Return the name of an initialiser in the module: torch allows no dots, and not its own names."""
    return "value:" + name.replace("%", "%25").replace(".", "%2E")


def stored_values(model: onnx.ModelProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    """Yield initialisers, and what Constant nodes hold.

    Raises:
        ModelError: one is of a type that torch can't compute with.
    """
    constant = (node for node in model.graph.node if node.op_type == "Constant")
    inner = ((node.output[0], _constant(node)) for node in constant)
    for name, tensor in chain(((item.name, item) for item in model.graph.initializer), inner):
        if tensor.data_type not in TYPES:
            known = ", ".join(type_name(kind) for kind in (*FLOATS, TensorProto.INT64))
            raise ModelError(
                f"found the type {type_name(tensor.data_type)} of the constant {name}, expected "
                f"numbers such as {known}; convert it and export the model again"
            )
        yield name, tensor


def _constant(node: onnx.NodeProto) -> onnx.TensorProto:
    """Return the tensor of a Constant node."""
    (given,) = attributes(node).items()
    kind, value = given
    if kind == "value":
        return cast(onnx.TensorProto, value)
    if kind not in ("value_float", "value_floats", "value_int", "value_ints"):
        raise ModelError(
            f"found {kind} in the Constant {node.name or node.output[0]}, expected numbers; export the "
            "model again"
        )
    dtype = np.float32 if "float" in kind else np.int64
    return numpy_helper.from_array(np.asarray(value, dtype=dtype))


def trained_names(stored: Mapping[str, onnx.TensorProto], trainable: Trained) -> set[str]:
    """Return the names of the initialisers that are trained."""
    floats = {name for name, tensor in stored.items() if tensor.data_type in FLOATS}
    if callable(trainable):
        return {name for name in floats if trainable(name)}
    others = sorted(set(trainable) - floats)
    if others:
        raise InputError(
            f"found {others[0]!r} among what is to be trained, expected names of float initialisers; "
            f"the network has {len(floats)} of these"
        )
    return set(trainable)
