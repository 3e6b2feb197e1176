"""Checks of weights and nodes of the graph that several operators share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from rxsim.onnx_graph import GraphBuilder

_FLOATS = (onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)


def why_not_weights(weights: onnx.TensorProto | None) -> str:
    """Say why weights can't be mapped: they are no constant, empty, or no floats; else empty."""
    if weights is None:
        return "product of two activations"
    if 0 in weights.dims:
        return "its weights are empty"
    if weights.data_type not in _FLOATS:
        return "its weights are not floating point"
    return ""


def terms_misfit(
    what: str, given: int | None, expected: int, weights: Sequence[int], groups: int = 1
) -> str:
    """Say that an input has too few or too many of something; empty where it fits or is unknown."""
    if given is None or given == expected:
        return ""
    return (
        f"found {what} {given} of its input, expected {expected} for its weights of shape "
        f"{list(weights)}" + (f" in {groups} groups" if groups > 1 else "")
    )


def bias_of(node: onnx.NodeProto) -> str:
    """Return the name of a node's third input; empty where it has none."""
    return node.input[2] if len(node.input) > 2 else ""


def dims_of(tensor: onnx.TensorProto | None) -> tuple[int, ...] | None:
    """Return the shape of a constant; None where it is none."""
    return None if tensor is None else tuple(tensor.dims)


def as_float(build: GraphBuilder, name: str, dtype: np.dtype, part: str) -> str:
    """Cast a tensor of the model to float32, where it is not."""
    if dtype == np.float32:
        return name
    return build.add("Cast", [name], part, to=onnx.TensorProto.FLOAT)
