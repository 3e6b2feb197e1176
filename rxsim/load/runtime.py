"""onnxruntime sessions of models of any size: what exceeds a file of ONNX is handed over beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from rxsim.load.providers import CPU
from rxsim.mapped_files import check_unchanged
from rxsim.memory import give_back
from rxsim.onnx_graph import (
    as_bytes,
    detached,
    has_files,
    is_heavy,
    large_bytes,
    lies_in_file,
    part_of,
    raw_pieces,
)
from rxsim.spilled import Spill

UNPACKED = 8 * 2**30
"""Bytes of constants in files from which on onnxruntime does not pack matrices, a copy of all of them.

It multiplies otherwise then: sums may differ in last bits, also those of one row from those of many.
"""
# Source: onnxruntime_session_options_config_keys.h. A model that is given as bytes has no folder, and
# files must lie in it.
_FOLDER_OF_FILES = "session.model_external_initializers_file_folder_path"
_WITHOUT_PACKING = "session.disable_prepacking"

Extend = Callable[[onnx.ModelProto], onnx.ModelProto]
"""`extend(model)`: a copy of a model with more nodes and outputs; values may lie elsewhere."""


def open_session(model: onnx.ModelProto | bytes) -> ort.InferenceSession:
    """Open a session that is used once: a single thread, no optimisation, no words on the terminal."""
    options = quiet_options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return session_of(model, options)


def quiet_options() -> ort.SessionOptions:
    """Return options of a session on a single thread that writes no words on the terminal.

    Without memory patterns: from the second run on onnxruntime would take all inner tensors from a
    further block, beside the memory that the first run left in its arena: twice what runs hold.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_mem_pattern = False
    return options


def session_of(
    model: onnx.ModelProto | bytes,
    options: ort.SessionOptions,
    providers: Sequence[str] = CPU,
    extend: Extend | None = None,
) -> ort.InferenceSession:
    """Open a session.

    Args:
        model: a model, or its bytes.
        options: of the session; they take the large constants of a heavy model.
        providers: onnxruntime's execution providers, the first that has a kernel runs a node.
        extend: what is added to a model; a heavy one is not copied for it.

    Raises:
        EncodeError: a model takes more than 2 GiB even without its large constants.
    """
    content = model if isinstance(model, bytes) else None
    held: list[np.ndarray] = []
    aside: Spill | None = None
    if isinstance(model, onnx.ModelProto) and not is_heavy(model):
        content = as_bytes(model if extend is None else extend(model))
    if content is None:
        assert isinstance(model, onnx.ModelProto)
        give_back()  # all copies of its weights that are gone
        if has_files(model):
            content, aside = _from_files(model, options, extend)
        else:
            content, held = _handed_over(model, options, extend)
    session = ort.InferenceSession(
        content,
        options,
        providers=list(providers),
        enable_fallback=0,  # or it prints its errors and tries once more
    )
    if held:
        held.clear()  # onnxruntime read them while it opened the session, and has its own copy now
        give_back()
    del aside  # what onnxruntime reads later it has mapped by now
    return session


def _handed_over(
    model: onnx.ModelProto, options: ort.SessionOptions, extend: Extend | None
) -> tuple[bytes, list[np.ndarray]]:
    """Hand over large constants as values in memory, which must live until the session is open."""
    lean, apart = _without_values(model, extend)
    for tensor in lean.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.external_data.add(key="location", value="in memory")
    held = [_values_of(tensor) for tensor in apart]
    options.add_external_initializers(
        [tensor.name for tensor in apart],
        [
            ort.OrtValue.ortvalue_from_numpy_with_onnx_type(values, tensor.data_type)
            for values, tensor in zip(held, apart, strict=True)
        ],
    )
    return bytes(lean.SerializeToString(deterministic=True)), held


def _from_files(
    model: onnx.ModelProto, options: ort.SessionOptions, extend: Extend | None
) -> tuple[bytes, Spill | None]:
    """Name the files in which large constants lie; those in memory are put into one for the purpose.

    onnxruntime maps what it needs, one constant at a time, and keeps the packed ones in memory.

    Returns:
        The model's bytes, and a file that must live until the session is open; None for none.
    """
    lean, apart = _without_values(model, extend)
    in_files = [tensor for tensor in apart if lies_in_file(tensor)]
    in_memory = [tensor for tensor in apart if not lies_in_file(tensor)]
    parts = {tensor.name: part_of(tensor) for tensor in in_files}
    for part in parts.values():
        check_unchanged(part)
    aside = Spill(named=True) if in_memory else None
    if aside is not None:
        places = [(tensor.name, aside.append(_values_of(tensor))) for tensor in in_memory]
        parts.update((name, aside.part(*place)) for name, place in places)
    for tensor in lean.graph.initializer:
        given = parts.get(tensor.name)
        if given is not None:
            place = (given.path.lstrip("/"), str(given.offset), str(given.length))
            for key, value in zip(("location", "offset", "length"), place, strict=True):
                tensor.external_data.add(key=key, value=value)
    options.add_session_config_entry(_FOLDER_OF_FILES, "/")
    if large_bytes(model) > UNPACKED:
        options.add_session_config_entry(_WITHOUT_PACKING, "1")
    return bytes(lean.SerializeToString(deterministic=True)), aside


def _without_values(
    model: onnx.ModelProto, extend: Extend | None
) -> tuple[onnx.ModelProto, list[onnx.TensorProto]]:
    """Return a model without its large constants' values, extended, and those constants that it has."""
    lean, apart = detached(model)
    if extend is None:
        return lean, apart
    lean = extend(lean)
    wanted = {tensor.name for tensor in lean.graph.initializer}
    return lean, [tensor for tensor in apart if tensor.name in wanted]


def _values_of(tensor: onnx.TensorProto) -> np.ndarray:
    """Return a constant's values, little-endian as they are stored."""
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    return np.frombuffer(b"".join(raw_pieces(tensor)), dtype).reshape(tuple(tensor.dims))
