"""Constants of the main graph, its initializers: find, add and remove them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx
from onnx import numpy_helper

from rxsim.onnx_graph.nodes import use_counts
from rxsim.onnx_graph.stored import constant_in_file

_SMALL = 1024


def constants(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Return the initializers by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


def set_constant(model: onnx.ModelProto, name: str, value: np.ndarray) -> None:
    """Add an initializer under a name that is not taken yet."""
    in_file = constant_in_file(value, name)
    if in_file is not None:
        model.graph.initializer.append(in_file)
        return
    if value.dtype.isbuiltin != 1 or value.dtype.kind not in "fiub":
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return
    # As numpy_helper.from_array does, without copying the values once more.
    stored = model.graph.initializer.add()
    stored.name = name
    stored.data_type = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    stored.dims.extend(value.shape)
    stored.raw_data = value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()


def drop_unused_constants(model: onnx.ModelProto) -> None:
    """Remove initializers that nothing reads any more."""
    used = use_counts(model)
    remove_constants(model, lambda tensor: not used[tensor.name])


def remove_constants(model: onnx.ModelProto, unwanted: Callable[[onnx.TensorProto], bool]) -> None:
    """Remove some initializers, in place; the others are not copied."""
    held = model.graph.initializer
    for place in range(len(held) - 1, -1, -1):
        if unwanted(held[place]):
            del held[place]


def is_large(tensor: onnx.TensorProto) -> bool:
    """Tell whether a tensor holds more values than shapes, axes or pads ever need."""
    return math.prod(tensor.dims) > _SMALL
