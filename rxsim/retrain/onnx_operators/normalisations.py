"""Normalisation, as in inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rxsim.retrain.node import Kernel, Node, UnsupportedError
from rxsim.retrain.torch_library import Tensor, functional, torch


def _batch(node: Node) -> Kernel:
    node.only_first_output()
    if node.get("training_mode", 0):
        raise UnsupportedError("training_mode 1")
    epsilon = node.get("epsilon", 1e-5)

    def norm(x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        if mean.requires_grad or variance.requires_grad:  # torch's own gives these no gradient
            factor = scale * torch.rsqrt(variance + epsilon)
            channels = (-1, *[1] * (x.dim() - 2))
            return x * factor.reshape(channels) + (shift - mean * factor).reshape(channels)
        return functional.batch_norm(x, mean, variance, scale, shift, False, 0.0, epsilon)

    return norm


def _layer(node: Node) -> Kernel:
    node.only_first_output()
    axis, epsilon = node.get("axis", -1), node.get("epsilon", 1e-5)

    def norm(x: Tensor, scale: Tensor, shift: Tensor | None = None) -> Tensor:
        shape = x.shape[axis:]
        if scale.shape == shape and (shift is None or shift.shape == shape):
            return functional.layer_norm(x, shape, scale, shift, epsilon)
        scaled = functional.layer_norm(x, shape, None, None, epsilon) * scale
        return scaled if shift is None else scaled + shift

    return norm


def _group(node: Node) -> Kernel:
    groups, epsilon = node.get("num_groups"), node.get("epsilon", 1e-5)

    def norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        if node.opset < 21:  # a value for each group, no longer for each channel
            each = x.shape[1] // groups
            scale, shift = (item.repeat_interleave(each) for item in (scale, shift))
        return torch.group_norm(x, groups, scale, shift, epsilon)

    return norm


def _instance(node: Node) -> Kernel:
    epsilon = node.get("epsilon", 1e-5)
    return lambda x, scale, shift: torch.group_norm(x, x.shape[1], scale, shift, epsilon)


def _lrn(node: Node) -> Kernel:
    size, bias = node.get("size"), node.get("bias", 1.0)
    alpha, beta = node.get("alpha", 1e-4) / size, node.get("beta", 0.75)
    before, behind = (size - 1) // 2, size // 2

    def norm(x: Tensor) -> Tensor:
        squares = functional.pad(x * x, [0, 0] * (x.dim() - 2) + [before, behind])
        total = squares.narrow(1, 0, x.shape[1])
        for place in range(1, size):
            total = total + squares.narrow(1, place, x.shape[1])
        return x / (bias + alpha * total) ** beta

    return norm


def _lp(node: Node) -> Kernel:
    axis, p = node.get("axis", -1), node.get("p", 2)

    def norm(x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, p, axis, keepdim=True)
        return x / torch.where(length == 0, torch.ones_like(length), length)

    return norm


OPERATORS: Mapping[str, Callable[[Node], Kernel]] = {
    "BatchNormalization": _batch,
    "GroupNormalization": _group,
    "InstanceNormalization": _instance,
    "LRN": _lrn,
    "LayerNormalization": _layer,
    "LpNormalization": _lp,
}
