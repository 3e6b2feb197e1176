"""Operators that change the type of values: Cast, QuantizeLinear, DequantizeLinear.

torch has few operators for unsigned integers of more than 8 bits: int64 stands for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from rxsim.retrain.node import Kernel, Node, UnsupportedError
from rxsim.retrain.torch_library import Tensor, torch

FLOATS: Mapping[int, Any] = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.FLOAT16: torch.float16,
}
INTEGERS: Mapping[int, Any] = {
    TensorProto.INT8: torch.int8,
    TensorProto.INT16: torch.int16,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.UINT8: torch.uint8,
    TensorProto.UINT16: torch.int64,
    TensorProto.UINT32: torch.int64,
    TensorProto.UINT64: torch.int64,
}
TYPES: Mapping[int, Any] = {**FLOATS, **INTEGERS, TensorProto.BOOL: torch.bool}


def type_name(number: int) -> str:
    """Return the name of a type of ONNX."""
    return str(TensorProto.DataType.Name(number)).lower()


def _cast(node: Node) -> Kernel:
    to = node.get("to")
    if to not in TYPES:
        raise UnsupportedError(f"the type {type_name(to)}")
    dtype = TYPES[to]
    return lambda x: x.to(dtype)


def _along(node: Node, parameter: Tensor, x: Tensor) -> Tensor:
    """Shape parameters that belong to the places of an axis; block by block is refused before."""
    if parameter.dim() == 0 or parameter.numel() == 1:
        return parameter.reshape(())
    axis = node.get("axis", 1) % x.dim()
    return parameter.reshape([-1 if other == axis else 1 for other in range(x.dim())])


def _no_blocks(node: Node) -> None:
    if node.get("block_size", 0):
        raise UnsupportedError("block_size")


def _bounds(node: Node) -> tuple[int, Any]:
    """Return ONNX's number of the integers that a QuantizeLinear makes, and their bounds."""
    kind = node.get("output_dtype", 0) or TensorProto.UINT8
    if node.has(2):
        name = node.proto.input[2]
        if name not in node.types:
            raise UnsupportedError("a zero point that is no constant")
        kind = node.types[name]
    if kind not in INTEGERS:
        raise UnsupportedError(f"the type {type_name(kind)}")
    return kind, np.iinfo(helper.tensor_dtype_to_np_dtype(kind))


def unrounded(node: Node) -> Kernel:
    """Return what a node that makes integers of floats would give without rounding.

    None where its input holds integers already.
    """
    if node.proto.op_type == "Cast":
        return lambda x: x if x.is_floating_point() else None
    _, bounds = _bounds(node)

    def clipped(x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
        steps = x / _along(node, scale, x)
        steps = steps if zero is None else steps + _along(node, zero, x)
        return torch.clamp(steps, bounds.min, bounds.max)

    return clipped


def _quantise(node: Node) -> Kernel:
    _no_blocks(node)
    kind, bounds = _bounds(node)
    dtype = INTEGERS[kind]

    def quantise(x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
        steps = torch.round(x / _along(node, scale, x))
        steps = steps if zero is None else steps + _along(node, zero, x)
        return torch.clamp(steps, bounds.min, bounds.max).to(dtype)

    return quantise


def _dequantise(node: Node) -> Kernel:
    _no_blocks(node)

    def floats(x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
        steps = x if x.is_floating_point() else x.to(torch.int64)
        steps = steps if zero is None else steps - _along(node, zero, x)
        return steps.to(scale.dtype) * _along(node, scale, x)

    return floats


OPERATORS: Mapping[str, Callable[[Node], Kernel]] = {
    "Cast": _cast,
    "CastLike": lambda node: lambda x, like: x.to(like.dtype),
    "DequantizeLinear": _dequantise,
    "QuantizeLinear": _quantise,
}
