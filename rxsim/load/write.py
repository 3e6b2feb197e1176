"""Write a model: as one file, or beyond 2 GiB with its large constants in a file beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
from google.protobuf.message import EncodeError

from rxsim.errors import InputError, ModelError
from rxsim.files import write_together
from rxsim.load.tensors import bytes_taken
from rxsim.onnx_graph import detached, fits_a_file, large_bytes, raw_pieces, serialised

# Source: ONNX's remarks on external data: multiples of a page of 4096 bytes can be mapped.
_PAGE = 4096


def write_onnx(path: Path, model: onnx.ModelProto) -> None:
    """Write a model; beyond 2 GiB its large constants go into `path` with `.data` behind.

    Raises:
        InputError: the destination is unusable, or the second file belongs to something else.
        ModelError: it takes more than 2 GiB without its initializers.
        WriteError: the file system refused.
    """
    if fits_a_file(large_bytes(model)):
        with contextlib.suppress(EncodeError):
            length, parts = serialised(model)
            if fits_a_file(length):
                write_together([(path, parts)])
                return
    beside = path.with_name(f"{path.name}.data")
    if beside.exists() and not path.exists():
        raise InputError(
            f"the output {path} takes more than 2 GiB and needs {beside.name} beside it, which exists "
            "already and belongs to no such model; move it or choose another name"
        )
    lean, apart = detached(model)
    _locate(lean, beside.name)
    try:
        head = lean.SerializeToString(deterministic=True)
    except EncodeError:
        raise ModelError(
            f"{path} takes more than 2 GiB without its initializers, which ONNX can't hold; export "
            "the model with its weights as initializers"
        ) from None
    write_together([(beside, _paged(apart)), (path, [head])])


def _locate(lean: onnx.ModelProto, file: str) -> None:
    """Say where the large constants lie: one behind the other, each at the start of a page."""
    offset = 0
    for tensor in lean.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        length = bytes_taken(tensor.data_type, tensor.dims) or 0
        for key, value in (("location", file), ("offset", str(offset)), ("length", str(length))):
            tensor.external_data.add(key=key, value=value)
        offset += -(-length // _PAGE) * _PAGE


def _paged(tensors: Sequence[onnx.TensorProto]) -> Iterator[bytes]:
    for tensor in tensors:
        length = 0
        for piece in raw_pieces(tensor):
            length += len(piece)
            yield piece
        yield bytes(-length % _PAGE)
