"""Operators element by element, with broadcasting: arithmetic, comparisons, logic, choice."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from rxsim.retrain.node import Kernel, Node, always
from rxsim.retrain.torch_library import Tensor, torch


class _Sqrt(torch.autograd.Function):
    """The square root, with the gradient 0 where the root is 0 (its slope is infinite there).

    What comes before a root of 0, such as the variance of a cell without current, would else get 0
    times infinity as its gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        root = torch.sqrt(x)
        ctx.save_for_backward(root)
        return root

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override,unused-ignore]
        (root,) = ctx.saved_tensors
        return torch.where(root == 0, torch.zeros_like(root), grad / (2 * root))


def _div(a: Tensor, b: Tensor) -> Tensor:
    if a.is_floating_point() or b.is_floating_point():
        return a / b
    return torch.div(a, b, rounding_mode="trunc")


def _pow(node: Node) -> Kernel:
    exponent = node.scalar(1)
    if exponent is not None:
        return lambda x, power: torch.pow(x, exponent).to(x.dtype)
    return lambda x, power: torch.pow(x, power).to(x.dtype)


def _mod(node: Node) -> Kernel:
    kernel: Kernel = torch.fmod if node.get("fmod", 0) else torch.remainder
    return kernel


def _folded(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Node], Kernel]:
    """Return the maker of an operator of any number of inputs."""
    return always(lambda *inputs: reduce(function, inputs))


def _mean(*inputs: Tensor) -> Tensor:
    return reduce(torch.add, inputs) / len(inputs)


def _is_inf(node: Node) -> Kernel:
    sides = [math.inf] * node.get("detect_positive", 1) + [-math.inf] * node.get(
        "detect_negative", 1
    )
    return lambda x: reduce(
        torch.logical_or, [x == side for side in sides], torch.zeros_like(x) > 0
    )


OPERATORS: Mapping[str, Callable[[Node], Kernel]] = {
    "Abs": always(torch.abs),
    "Acos": always(torch.acos),
    "Add": always(torch.add),
    "And": always(torch.logical_and),
    "Asin": always(torch.asin),
    "Atan": always(torch.atan),
    "Ceil": always(torch.ceil),
    "Cos": always(torch.cos),
    "Cosh": always(torch.cosh),
    "Div": always(_div),
    "Equal": always(torch.eq),
    "Exp": always(torch.exp),
    "Floor": always(torch.floor),
    "Greater": always(torch.gt),
    "GreaterOrEqual": always(torch.ge),
    "Identity": always(lambda x: x),
    "IsInf": _is_inf,
    "IsNaN": always(torch.isnan),
    "Less": always(torch.lt),
    "LessOrEqual": always(torch.le),
    "Log": always(torch.log),
    "Max": _folded(torch.maximum),
    "Mean": always(_mean),
    "Min": _folded(torch.minimum),
    "Mod": _mod,
    "Mul": always(torch.mul),
    "Neg": always(torch.neg),
    "Not": always(torch.logical_not),
    "Or": always(torch.logical_or),
    "Pow": _pow,
    "Reciprocal": always(torch.reciprocal),
    "Round": always(torch.round),
    "Sign": always(torch.sign),
    "Sin": always(torch.sin),
    "Sinh": always(torch.sinh),
    "Sqrt": always(_Sqrt.apply),
    "Sub": always(torch.sub),
    "Sum": _folded(torch.add),
    "Tan": always(torch.tan),
    "Where": always(torch.where),
    "Xor": always(torch.logical_xor),
}
