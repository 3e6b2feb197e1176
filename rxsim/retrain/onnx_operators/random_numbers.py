"""Operators that draw random numbers: of ONNX's distributions, from the caller's generator.

The numbers are others than those that onnxruntime draws from a node's seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rxsim.retrain.node import Kernel, Node, UnsupportedError
from rxsim.retrain.onnx_operators.conversions import FLOATS, type_name
from rxsim.retrain.torch_library import Tensor, torch


def _drawing(node: Node) -> Callable[[Any, Any], Tensor]:
    """Return what draws numbers of a shape and a type."""
    generator = node.generator
    if generator is None:
        raise UnsupportedError("random numbers, for which a generator must be given")
    if node.proto.op_type.startswith("RandomNormal"):
        mean, scale = node.get("mean", 0.0), node.get("scale", 1.0)
        return lambda shape, dtype: (
            mean + scale * torch.randn(shape, generator=generator, dtype=dtype)
        )
    low, high = node.get("low", 0.0), node.get("high", 1.0)
    return lambda shape, dtype: (
        low + (high - low) * torch.rand(shape, generator=generator, dtype=dtype)
    )


def _dtype(node: Node, default: Any) -> Any:
    number = node.get("dtype")
    if number is not None and number not in FLOATS:
        raise UnsupportedError(f"the type {type_name(number)}")
    return default if number is None else FLOATS[number]


def _of_shape(node: Node) -> Kernel:
    draw, shape, dtype = _drawing(node), tuple(node.get("shape", ())), _dtype(node, torch.float32)
    return lambda: draw(shape, dtype)


def _like(node: Node) -> Kernel:
    draw, dtype = _drawing(node), _dtype(node, None)
    return lambda x: draw(x.shape, dtype or x.dtype)


OPERATORS: Mapping[str, Callable[[Node], Kernel]] = {
    "RandomNormal": _of_shape,
    "RandomNormalLike": _like,
    "RandomUniform": _of_shape,
    "RandomUniformLike": _like,
}
