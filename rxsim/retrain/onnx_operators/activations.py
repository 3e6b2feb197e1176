"""Activation functions: element by element, and those along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from rxsim.retrain.node import Kernel, Node, always
from rxsim.retrain.torch_library import Tensor, functional, torch


def _leaky_relu(node: Node) -> Kernel:
    alpha = node.get("alpha", 0.01)
    return lambda x: functional.leaky_relu(x, alpha)


def _elu(node: Node) -> Kernel:
    alpha = node.get("alpha", 1.0)
    return lambda x: functional.elu(x, alpha)


def _celu(node: Node) -> Kernel:
    alpha = node.get("alpha", 1.0)
    return lambda x: functional.celu(x, alpha)


def _selu(node: Node) -> Kernel:
    # Source: ONNX's Selu, default attributes.
    alpha, gamma = (
        node.get("alpha", 1.67326319217681884765625),
        node.get("gamma", 1.05070102214813232),
    )
    return lambda x: gamma * functional.elu(x, alpha)


def _hard_sigmoid(node: Node) -> Kernel:
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    return lambda x: torch.clamp(alpha * x + beta, 0, 1)


def _thresholded_relu(node: Node) -> Kernel:
    alpha = node.get("alpha", 1.0)
    return lambda x: torch.where(x > alpha, x, torch.zeros_like(x))


def _swish(node: Node) -> Kernel:
    alpha = node.get("alpha", 1.0)
    return lambda x: x * torch.sigmoid(alpha * x)


def _gelu(node: Node) -> Kernel:
    approximate = node.one_of("approximate", "none", ("none", "tanh"))
    return lambda x: functional.gelu(x, approximate=approximate)


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, x * slope, x)


def _clip(node: Node) -> Kernel:
    """Saturate; a gradient passes inside the bounds, and to bounds that are trained."""
    low, high = node.get("min", node.scalar(1)), node.get("max", node.scalar(2))
    if (low is None and node.has(1)) or (high is None and node.has(2)):
        return lambda x, least=None, most=None: torch.clamp(x, least, most)
    if low is None and high is None:
        return lambda x, *bounds: x
    return lambda x, *bounds: torch.clamp(x, low, high)


def _along_axis(function: Callable[..., Tensor]) -> Callable[[Node], Kernel]:
    """Return the maker of a softmax: before set 13 over all axes from the given one on, together."""

    def make(node: Node) -> Kernel:
        if node.opset >= 13:
            axis = node.get("axis", -1)
            return lambda x: function(x, dim=axis)
        first = node.get("axis", 1)

        def together(x: Tensor) -> Tensor:
            rows = math.prod(x.shape[: first if first >= 0 else first + x.dim()])
            return function(x.reshape(rows, -1), dim=-1).reshape(x.shape)

        return together

    return make


OPERATORS: Mapping[str, Callable[[Node], Kernel]] = {
    "Celu": _celu,
    "Clip": _clip,
    "Elu": _elu,
    "Erf": always(torch.erf),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": always(functional.hardswish),
    "LeakyRelu": _leaky_relu,
    "LogSoftmax": _along_axis(functional.log_softmax),
    "Mish": always(functional.mish),
    "PRelu": always(_prelu),
    "Relu": always(torch.relu),
    "Selu": _selu,
    "Sigmoid": always(torch.sigmoid),
    "Softmax": _along_axis(functional.softmax),
    "Softplus": always(functional.softplus),
    "Softsign": always(functional.softsign),
    "Swish": _swish,
    "Tanh": always(torch.tanh),
    "ThresholdedRelu": _thresholded_relu,
}
