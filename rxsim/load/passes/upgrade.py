"""Pass: bring a model to operator set 17 or later where it can be, with functions inlined.

Changes operator versions, strips constants from the graph inputs, makes sparse constants
dense. Names are kept; the inner nodes of a function get a number for each of its calls.
"""

from __future__ import annotations

import numpy as np
import onnx
from google.protobuf.message import EncodeError
from onnx import inliner, numpy_helper, version_converter

from rxsim.errors import ModelError
from rxsim.load.onnx_file import first_line
from rxsim.onnx_graph import (
    has_subgraph,
    is_large,
    remove_constants,
    values_of,
    without_large_constants,
)

OPSET = 17
# Source: ONNX's operator changelog: what a patched layer is written in (Cast, Clip, Conv, Gather,
# MatMul, Mul, Reshape, Round, Slice, Sum) has the same inputs and attributes from set 13 on.
ENOUGH = 13
# Source: ONNX's release table: IR version 8 came with operator set 15 to 18.
IR_VERSION = 8


def upgrade(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Return the model at operator set >= 17, or >= 13 where it can't be converted.

    Raises:
        ModelError: ONNX's version converter can't convert an operator of an older model.
    """
    if model.functions:
        model = _inlined(model)
    _densify(model)
    initialised = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initialised]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, IR_VERSION)
    version = next(
        (item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0
    )
    if not 0 < version < OPSET:
        return model
    try:
        if model.functions:
            raise RuntimeError(f"its function {model.functions[0].name} can't be inlined")
        converted = version_converter.convert_version(without_large_constants(model), OPSET)
    except Exception as error:  # onnx raises many types
        if version >= ENOUGH:
            return model
        raise ModelError(
            f"model {name} uses operator set {version} and can't be brought to {OPSET}: "
            f"{first_line(error)}; export it at operator set {OPSET} or later"
        ) from None
    _take_over(model, converted)
    return model


def _take_over(model: onnx.ModelProto, converted: onnx.ModelProto) -> None:
    """Take over what the converter made of a model without its large constants.

    The model's inputs and outputs stay: the converter writes inferred shapes over them.
    """
    remove_constants(model, lambda tensor: not is_large(tensor))
    for place in ("node", "value_info"):
        model.graph.ClearField(place)
    model.ClearField("opset_import")
    model.graph.node.extend(converted.graph.node)
    model.graph.value_info.extend(converted.graph.value_info)
    model.graph.initializer.extend(converted.graph.initializer)
    model.opset_import.extend(converted.opset_import)
    model.ir_version = converted.ir_version


def _inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """Inline the model's functions; those that can't be brought to its operator set remain."""
    try:
        return _inlined_whole(model)
    except EncodeError:  # onnx hands models to its C++ code as bytes, at most 2 GiB of them
        inlined = _inlined_whole(without_large_constants(model))
        _take_over(model, inlined)
        model.ClearField("functions")
        model.functions.extend(inlined.functions)
        return model


def _inlined_whole(model: onnx.ModelProto) -> onnx.ModelProto:
    versions = {item.domain or "": item.version for item in model.opset_import}
    for function in model.functions:
        for item in function.opset_import:
            if item.domain in ("", "ai.onnx") and _same_operators(function, item.version, versions):
                item.version = versions[""]
    plain = inliner.inline_local_functions(model)
    if not plain.functions:
        return plain
    try:
        return inliner.inline_local_functions(model, convert_version=True)
    except Exception:  # the version converter knows no types inside functions
        return plain


def _same_operators(function: onnx.FunctionProto, version: int, versions: dict[str, int]) -> bool:
    """Tell whether a function's operators mean the same in its operator set and the model's."""
    if "" not in versions:
        return False
    for node in function.node:
        if node.domain not in ("", "ai.onnx"):
            continue
        try:
            there, here = (
                onnx.defs.get_schema(node.op_type, number) for number in (version, versions[""])
            )
        except onnx.defs.SchemaError:
            return False
        if there.since_version != here.since_version or has_subgraph(node):
            return False
    return True


def _densify(model: onnx.ModelProto) -> None:
    """Make sparse initializers dense, and Constant nodes of a sparse value initializers."""
    for sparse in model.graph.sparse_initializer:
        model.graph.initializer.append(_dense(sparse, sparse.values.name))
    del model.graph.sparse_initializer[:]
    for node in list(model.graph.node):
        held = next((item for item in node.attribute if item.name == "sparse_value"), None)
        if node.op_type == "Constant" and held is not None:
            model.graph.initializer.append(_dense(held.sparse_tensor, node.output[0]))
            model.graph.node.remove(node)


def _dense(sparse: onnx.SparseTensorProto, name: str) -> onnx.TensorProto:
    values = values_of(sparse.values)
    places = values_of(sparse.indices)
    dense = np.zeros(tuple(sparse.dims), dtype=values.dtype)
    dense[np.unravel_index(places, dense.shape) if places.ndim == 1 else tuple(places.T)] = values
    return numpy_helper.from_array(dense, name)
