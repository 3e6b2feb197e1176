"""Models beyond the 2 GiB that a file of ONNX can hold: their large constants apart from the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import onnx
from google.protobuf.message import EncodeError

from rxsim.onnx_graph.constants import is_large
from rxsim.onnx_graph.shapes import copy_fields
from rxsim.onnx_graph.stored import bytes_of, has_files, lies_in_file, raw_pieces

# Source: protobuf's documentation: a message takes less than 2 GiB when it is written.
LIMIT = 2**31 - 1
HEAVY = 64 * 2**20
"""Bytes of large constants from which on a model is not copied with them: each copy is felt."""
# Whole bytes a value, as TensorProto.DataType counts them; those with fewer are small in networks.
_WHOLE_BYTES = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16}


def as_bytes(model: onnx.ModelProto) -> bytes | None:
    """Return a model's bytes, the same for equal models.

    None where they exceed what ONNX can hold, or where values lie in files.
    """
    # The sum costs nothing; protobuf would copy all weights before it gives up.
    if large_bytes(model) > LIMIT or has_files(model):
        return None
    try:
        content = bytes(model.SerializeToString(deterministic=True))
    except EncodeError:
        return None
    return content if len(content) <= LIMIT else None


def _least_bytes(tensor: onnx.TensorProto) -> int:
    """Return at least how many bytes a tensor takes; values that are not kept raw count as none."""
    if lies_in_file(tensor):
        return bytes_of(tensor)
    if tensor.data_type not in _WHOLE_BYTES or not tensor.HasField("raw_data"):
        return 0
    return bytes_of(tensor)


def large_bytes(model: onnx.ModelProto) -> int:
    """Return the bytes of a model's constants, wherever they lie, but for those that are not raw."""
    return sum(_least_bytes(tensor) for tensor in model.graph.initializer)


def fits_a_file(n_bytes: int) -> bool:
    """Tell whether a file of ONNX can hold so many bytes."""
    return n_bytes <= LIMIT


def are_heavy(n_bytes: int) -> bool:
    """Tell whether matrices of so many bytes should not be copied, or held more often than needed."""
    return n_bytes > HEAVY


def is_heavy(model: onnx.ModelProto) -> bool:
    """Tell whether a model's constants take so much that they should not be copied, or lie in files."""
    return are_heavy(large_bytes(model)) or has_files(model)


def detached(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[onnx.TensorProto]]:
    """Return a copy whose large constants lie elsewhere, and these constants.

    Each constant in the copy says that its values are external, and not yet where.
    """
    lean = onnx.ModelProto()
    copy_fields(model, lean, "graph")
    copy_fields(model.graph, lean.graph, "initializer")
    apart = []
    for tensor in model.graph.initializer:
        is_apart = is_large(tensor) and tensor.data_type in _WHOLE_BYTES
        if not is_apart and not lies_in_file(tensor):
            lean.graph.initializer.append(tensor)
            continue
        place = lean.graph.initializer.add()
        place.name, place.data_type = tensor.name, tensor.data_type
        place.dims.extend(tensor.dims)
        place.data_location = onnx.TensorProto.EXTERNAL
        apart.append(tensor)
    return lean, apart


def content_of(model: onnx.ModelProto) -> bytes:
    """Return what identifies a model: its bytes, or those of its lean copy and hashes of the rest."""
    content = as_bytes(model)
    if content is not None:
        return content
    return b"".join(_parts(model))


def _parts(model: onnx.ModelProto) -> Iterator[bytes]:
    lean, apart = detached(model)
    yield lean.SerializeToString(deterministic=True)
    for tensor in apart:
        digest = hashlib.sha256()
        for piece in raw_pieces(tensor):
            digest.update(piece)
        yield digest.digest()
