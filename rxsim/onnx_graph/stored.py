"""Where the values of a constant lie: in the model itself, or in a file from which they are mapped.

Such a constant says, as ONNX has it, that its data are external; its `location` is an absolute path,
and an entry of ours tells the state of the file. It never leaves rxsim: what is written has its values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rxsim.mapped_files import FilePart, pieces_in, values_in
from rxsim.spilled import constants_spill

_STATE = "rxsim.state"
# Source: onnx.proto, TensorProto.DataType: numbers of whole bytes that numpy has too.
MAPPABLE = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13))
_NUMBERS = frozenset(("float16", "float32", "float64", "int8", "uint8", "int32", "int64"))
_LARGE = 2**14  # values from which on a constant is worth a place in a file


def lies_in_file(tensor: onnx.TensorProto) -> bool:
    """Tell whether a constant's values are mapped from a file."""
    return any(entry.key == _STATE for entry in tensor.external_data)


def place_in_file(tensor: onnx.TensorProto, part: FilePart) -> None:
    """Let a constant's values lie in a file, in place; those that it holds go."""
    for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data"):
        tensor.ClearField(field)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (
        ("location", part.path),
        ("offset", str(part.offset)),
        ("length", str(part.length)),
        (_STATE, part.state),
    ):
        tensor.external_data.add(key=key, value=value)


def forget_file(tensor: onnx.TensorProto) -> None:
    """Take away what says that a constant's values are mapped from a file; elsewhere they may lie."""
    for entry in [entry for entry in tensor.external_data if entry.key == _STATE]:
        tensor.external_data.remove(entry)


def part_of(tensor: onnx.TensorProto) -> FilePart:
    """Return where the values of a constant lie that are mapped from a file."""
    given = {entry.key: entry.value for entry in tensor.external_data}
    return FilePart(given["location"], int(given["offset"]), int(given["length"]), given[_STATE])


def values_of(tensor: onnx.TensorProto) -> np.ndarray:
    """Return a constant's values; they can't be written to.

    Raises:
        ModelError: the file that they lie in was changed.
    """
    if not lies_in_file(tensor):
        return np.asarray(numpy_helper.to_array(tensor))
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    return values_in(part_of(tensor), dtype, tuple(tensor.dims))


def raw_pieces(tensor: onnx.TensorProto) -> Iterator[bytes]:
    """Yield a constant's values piece by piece as an external file holds them, little-endian.

    Raises:
        ModelError: the file that they lie in was changed.
    """
    if lies_in_file(tensor):
        yield from pieces_in(part_of(tensor))
    elif tensor.HasField("raw_data"):
        yield bytes(tensor.raw_data)
    else:
        yield bytes(numpy_helper.from_array(numpy_helper.to_array(tensor)).raw_data)


def constant_in_file(value: np.ndarray, name: str) -> onnx.TensorProto | None:
    """Make a large constant whose values lie in a file; None where no file takes it.

    Files take constants in a block of `rxsim.spilled.constants_aside`.
    """
    spill = constants_spill()
    if spill is None or value.size < _LARGE or value.dtype.name not in _NUMBERS:
        return None
    tensor = onnx.TensorProto(
        name=name, data_type=helper.np_dtype_to_tensor_dtype(value.dtype), dims=value.shape
    )
    place_in_file(tensor, spill.part(*spill.append(value)))
    return tensor


def with_values(model: onnx.ModelProto) -> onnx.ModelProto:
    """Read all constants that lie in files into a model, in place, for whoever takes it from us."""
    for tensor in model.graph.initializer:
        if lies_in_file(tensor):
            content = b"".join(raw_pieces(tensor))
            tensor.ClearField("data_location")
            del tensor.external_data[:]
            tensor.raw_data = content
    return model


def has_files(model: onnx.ModelProto) -> bool:
    """Tell whether any constant's values lie in a file."""
    return any(map(lies_in_file, model.graph.initializer))


def bytes_of(tensor: onnx.TensorProto) -> int:
    """Return the bytes of a constant's values, of numbers of whole bytes."""
    itemsize = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).itemsize
    return math.prod(tensor.dims) * itemsize
