"""Tensors stored in a model: read those that lie in files beside it, and check all of them."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import onnx

from rxsim.errors import ModelError
from rxsim.mapped_files import FilePart, pieces_in, state_of
from rxsim.onnx_graph import (
    MAPPABLE,
    are_heavy,
    forget_file,
    is_large,
    lies_in_file,
    place_in_file,
)
from rxsim.spilled import HAS_FILES

# Source: onnx.proto, TensorProto.DataType and its remarks on raw_data. Strings are not fixed in length.
_BITS = {
    **dict.fromkeys((25, 26), 2),
    **dict.fromkeys((21, 22, 23), 4),
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((7, 11, 13, 14), 64),
    15: 128,
}
# Bytes: numbers of all types may begin at multiples of it.
_ALIGNED = 16
_FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")


def stored_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor that a model holds: constants and attributes, inner graphs included."""
    graphs = [model.graph]
    nodes: Iterable[onnx.NodeProto] = chain.from_iterable(item.node for item in model.functions)
    while True:
        for attribute in chain.from_iterable(node.attribute for node in nodes):
            graphs.extend([attribute.g] if attribute.HasField("g") else attribute.graphs)
            yield from [attribute.t] if attribute.HasField("t") else attribute.tensors
            sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
            yield from _dense_parts([*sparse, *attribute.sparse_tensors])
        if not graphs:
            return
        graph = graphs.pop()
        yield from graph.initializer
        yield from _dense_parts(graph.sparse_initializer)
        nodes = graph.node


def _dense_parts(sparse: Iterable[onnx.SparseTensorProto]) -> Iterator[onnx.TensorProto]:
    for item in sparse:
        yield item.values
        yield item.indices


def complete_tensors(model: onnx.ModelProto, path: Path, *, mapped: bool = False) -> bool:
    """Read the tensors that lie in other files, in place, and check that all have their values.

    Args:
        model: the model.
        path: its file; other files must lie in its folder or below.
        mapped: leave the large constants of a heavy model where they lie, and map them from there.

    Returns:
        Whether any tensor came from another file.

    Raises:
        ModelError: naming the tensor.
    """
    for tensor in stored_tensors(model):
        forget_file(tensor)  # what a user's file says of this is not ours
    external = mapped and HAS_FILES and _map_large(model, path)
    for tensor in stored_tensors(model):
        if lies_in_file(tensor):
            continue
        where = _where(tensor, path)
        n_bytes = _n_bytes(tensor, where)
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            part = _part_beside(tensor, path.parent, where, n_bytes)
            tensor.raw_data = b"".join(pieces_in(part))
            tensor.ClearField("data_location")
            del tensor.external_data[:]
            external = True
        elif n_bytes is not None:
            _check_length(tensor, where, n_bytes)
    return external


def _map_large(model: onnx.ModelProto, path: Path) -> bool:
    """Leave large constants of a heavy model in their files; tell whether there are any."""
    held = [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        and tensor.data_type in MAPPABLE
        and is_large(tensor)
    ]
    sizes = [_n_bytes(tensor, _where(tensor, path)) or 0 for tensor in held]
    if not are_heavy(sum(sizes)):
        return False
    for tensor, n_bytes in zip(held, sizes, strict=True):
        part = _part_beside(tensor, path.parent, _where(tensor, path), n_bytes)
        if part.offset % _ALIGNED == 0:
            place_in_file(tensor, part)
    return True


def _where(tensor: onnx.TensorProto, path: Path) -> str:
    return f"model {path}: its tensor {shortened(tensor.name) or '(without a name)'}"


def _n_bytes(tensor: onnx.TensorProto, where: str) -> int | None:
    """Return how many bytes a tensor's values take; None where that is not fixed."""
    if any(length < 0 for length in tensor.dims):
        raise ModelError(
            f"{where} has the shape {list(tensor.dims)}, expected lengths of 0 and above; export "
            "the model again"
        )
    return bytes_taken(tensor.data_type, tensor.dims)


def bytes_taken(data_type: int, shape: Iterable[int]) -> int | None:
    """Return the bytes of a tensor's values; None for a type without a fixed length."""
    bits = _BITS.get(data_type)
    return None if bits is None else -(-math.prod(shape) * bits // 8)


def _check_length(tensor: onnx.TensorProto, where: str, n_bytes: int) -> None:
    """Refuse a tensor with too few or too many values."""
    size = math.prod(tensor.dims)
    expected = f"expected {size} for its shape {list(tensor.dims)}; export the model again"
    if tensor.HasField("raw_data"):
        if len(tensor.raw_data) != n_bytes:
            raise ModelError(
                f"{where} holds {len(tensor.raw_data)} bytes, expected {n_bytes} for its shape "
                f"{list(tensor.dims)}; export the model again"
            )
        return
    entries = sum(len(getattr(tensor, name)) for name in _FIELDS)
    bits = _BITS[tensor.data_type]
    if bits < 8:  # several values an entry
        entries = size if size and entries else entries
    elif tensor.data_type in (onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128):
        entries //= 2
    if entries != size:
        raise ModelError(f"{where} holds {entries} values, {expected}")


def _part_beside(
    tensor: onnx.TensorProto, folder: Path, where: str, n_bytes: int | None
) -> FilePart:
    """Find a tensor's bytes in the file beside the model that it names."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    file = _file_beside(location, folder, where)
    offset = _whole(entries.get("offset", "0"), "offset", where)
    status = file.stat()
    size = status.st_size
    length = _whole(entries.get("length") or str(max(size - offset, 0)), "length", where)
    if n_bytes is None or length != n_bytes:
        raise ModelError(
            f"{where} takes {length} bytes of {shortened(location)}, expected "
            f"{'numbers' if n_bytes is None else n_bytes} for its shape {list(tensor.dims)}; "
            "export the model again"
        )
    if offset + length > size:
        raise ModelError(
            f"{where} lies at bytes {offset} to {offset + length} of {shortened(location)}, expected a "
            f"file of at least that size, found {size} bytes; copy that file again"
        )
    if not os.access(file, os.R_OK):
        raise ModelError(
            f"{where} can't be read from {shortened(location)}: {os.strerror(errno.EACCES)}; check "
            "that file"
        )
    return FilePart(str(file.resolve()), offset, length, state_of(status))


def _file_beside(location: str, folder: Path, where: str) -> Path:
    """Return the file that a tensor lies in: never a link, never outside the model's folder."""
    if not location or "\0" in location:
        raise ModelError(f"{where} lies in a file without a name; export the model again")
    file, shown = folder / location, repr(shortened(location))
    inside = not Path(location).is_absolute() and ".." not in Path(location).parts
    try:
        if not inside or not file.resolve().is_relative_to(folder.resolve()):
            raise ModelError(
                f"{where} lies in {shown}, expected a file in the model's folder; put it there "
                "and export the model with that name"
            )
        if file.is_symlink():
            raise ModelError(
                f"{where} lies in {shown}, which is a link, expected a file; copy the file "
                "itself beside the model"
            )
        if not file.is_file():
            raise ModelError(
                f"{where} can't be read: there is no file {shown} beside the model; copy it "
                "there as well"
            )
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "its links form a circle"
        raise ModelError(f"{where} can't be read from {shown}: {reason}; check it") from None
    return file


def shortened(text: str) -> str:
    """Cut a name short for a message."""
    return text if len(text) <= 80 else f"{text[:77]}..."


def _whole(text: str, what: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ModelError(
            f"{where} has the {what} {text[:40]!r}, expected a whole number; export the model again"
        )
    return int(text)
