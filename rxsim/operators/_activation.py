"""Activation functions that onnxruntime fuses into products, as ONNX's own nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rxsim.onnx_graph import GraphBuilder

# The parameters of each in the order of FusedConv's `activation_params`.
# Source: onnxruntime 1.32, mlas activation kinds, contrib_ops FusedConv and FusedGemm.
_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "Clip": ("min", "max"),
    "Elu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "LeakyRelu": ("alpha",),
    "Relu": (),
    "Selu": ("alpha", "gamma"),
    "Sigmoid": (),
    "Softplus": (),
    "Softsign": (),
    "Tanh": (),
    "ThresholdedRelu": ("alpha",),
}


def is_activation(name: str) -> bool:
    """Tell whether `add_activation` can write an activation; an empty name is none at all."""
    return not name or name in _PARAMETERS


def activation_parameters(name: str, values: Sequence[float]) -> dict[str, float]:
    """Name the parameters of an activation that are given by place."""
    return dict(zip(_PARAMETERS.get(name, ()), values, strict=False))


def add_activation(
    build: GraphBuilder, name: str, given: Mapping[str, float], source: str, dtype: np.dtype
) -> str:
    """Write an activation; nothing to do where its name is empty.

    Args:
        build: takes the nodes.
        name: of the function.
        given: its parameters by name; ONNX's defaults stand for those that are left out.
        source: name of the tensor.
        dtype: of the tensor.
    """
    if not name:
        return source
    if name == "Clip":
        bounds = [
            build.constant(side, np.asarray(given[side], dtype=dtype))
            for side in ("min", "max")
            if side in given
        ]
        return build.add("Clip", [source, *bounds], "activated")
    known: dict[str, Any] = {key: float(given[key]) for key in _PARAMETERS[name] if key in given}
    return build.add(name, [source], "activated", **known)
