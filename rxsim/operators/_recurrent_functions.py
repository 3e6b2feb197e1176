"""Activations of recurrent operators: read from a node's attributes, written as ONNX nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rxsim.onnx_graph import GraphBuilder

# Source: onnxruntime's recurrent kernels: names without regard to case; a value that the file leaves
# out is ONNX's for LeakyRelu, HardSigmoid and Elu, else 0.
_ALPHA = {"affine": 0.0, "leakyrelu": 0.01, "thresholdedrelu": 0.0, "scaledtanh": 0.0}
_ALPHA |= {"hardsigmoid": 0.2, "elu": 1.0}
_BETA = {"affine": 0.0, "scaledtanh": 0.0, "hardsigmoid": 0.5}
_OPERATORS = {
    "relu": "Relu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "softsign": "Softsign",
    "softplus": "Softplus",
    "leakyrelu": "LeakyRelu",
    "thresholdedrelu": "ThresholdedRelu",
    "elu": "Elu",
    "hardsigmoid": "HardSigmoid",
    "affine": "Affine",
    "scaledtanh": "ScaledTanh",
}


@dataclass(frozen=True, slots=True)
class Activation:
    """A function of a recurrent operator.

    Attributes:
        name: as ONNX's recurrent operators call it, in lower case.
        alpha: its first parameter; None where it has none.
        beta: its second.
    """

    name: str
    alpha: float | None
    beta: float | None

    def add(self, build: GraphBuilder, source: str, part: str) -> str:
        """Write the function of a float32 tensor; return the name of its value."""
        if self.name == "affine":
            scaled = build.add(
                "Mul", [source, build.scalar(f"{part}_alpha", self.alpha or 0)], part
            )
            return build.add("Add", [scaled, build.scalar(f"{part}_beta", self.beta or 0)], part)
        if self.name == "scaledtanh":
            scaled = build.add("Mul", [source, build.scalar(f"{part}_beta", self.beta or 0)], part)
            bent = build.add("Tanh", [scaled], part)
            return build.add("Mul", [bent, build.scalar(f"{part}_alpha", self.alpha or 0)], part)
        given = {"alpha": self.alpha, "beta": self.beta}
        known: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        return build.add(_OPERATORS[self.name], [source], part, **known)


def read_activations(given: Mapping[str, Any], usual: tuple[str, ...]) -> list[Activation] | None:
    """Return the activations of all directions, one after the other.

    Alphas and betas are handed out in this order to those that take one.

    Args:
        given: attributes of the node.
        usual: what stands for a direction where the node names none.

    Returns:
        The activations; None where the node names one that ONNX does not, or not as many as it needs.
    """
    directions = 2 if given.get("direction", b"forward") == b"bidirectional" else 1
    names = [item.decode().lower() for item in given.get("activations", ())]
    names = names or [name.lower() for name in usual] * directions
    if len(names) != len(usual) * directions or any(name not in _OPERATORS for name in names):
        return None
    alphas: Iterator[float] = iter(given.get("activation_alpha", ()))
    betas: Iterator[float] = iter(given.get("activation_beta", ()))
    return [
        Activation(
            name,
            next(alphas, _ALPHA[name]) if name in _ALPHA else None,
            next(betas, _BETA[name]) if name in _BETA else None,
        )
        for name in names
    ]
