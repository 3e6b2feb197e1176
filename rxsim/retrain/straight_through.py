"""Gradients through rounding, and through integers that come from floats and become floats again.

Round, Floor and Ceil pass a gradient as it is (the straight-through estimator); what saturates is left
to Clip, which passes it inside its bounds only. A tensor of integers can bear no gradient, so the
floats that became integers are handed on beside them, through operators that only move, add or scale
values, until the integers are floats again: Cast to Cast, QuantizeLinear to DequantizeLinear. A table
that is looked up with integers passes no gradient to them.

Source: Bengio et al. 2013, "Estimating or propagating gradients through stochastic neurons",
arXiv:1308.3432, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rxsim.retrain.node import Kernel, Node
from rxsim.retrain.onnx_operators.conversions import INTEGERS, unrounded
from rxsim.retrain.torch_library import Tensor, torch

_ROUNDING = {"Round", "Floor", "Ceil"}
_ALL = range(1 << 20)
# Operators whose integers the floats accompany, and which of their inputs hold values.
_CARRYING = {
    **dict.fromkeys(
        ("Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice"), range(1)
    ),
    **dict.fromkeys(("Gather", "Expand", "Tile", "Pad", "MaxPool", "Relu", "Neg"), range(1)),
    **dict.fromkeys(("Add", "Sub", "Mul", "Sum", "Max", "Min", "Concat"), _ALL),
    "Where": range(1, 3),
    "Clip": range(1),
}


class _Straight(torch.autograd.Function):
    """The values of one tensor, and the gradient given to another."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, through: Tensor) -> Tensor:
        return values.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:  # type: ignore[override,unused-ignore]
        return None, grad


def floats_of(name: str) -> str:
    """Return the name of the floats that accompany a tensor of integers."""
    return f"{name}\0floats"  # no name in an ONNX file ends so


def straight(values: Tensor, through: Tensor) -> Tensor:
    """Return values whose gradient is handed to another tensor of their shape, as it is."""
    return _Straight.apply(values, through.to(values.dtype))


@dataclass(frozen=True, slots=True)
class Wiring:
    """A kernel, and the tensors that it reads and writes.

    Attributes:
        kernel: gives a tuple where it writes more than one tensor.
        reads: names; empty for an input that is left out.
        writes: names; empty for an output that nobody wants.
    """

    kernel: Kernel
    reads: tuple[str, ...]
    writes: tuple[str, ...]


def straightened(node: Node, plain: Wiring, beside: set[str]) -> Wiring:
    """Return the kernel of a node as the gradient needs it.

    Args:
        node: the node.
        plain: its kernel, with the node's inputs and outputs.
        beside: names of the tensors of integers that floats accompany; extended.
    """
    op, kernel = node.proto.op_type, plain.kernel
    if op in _ROUNDING:
        return Wiring(
            lambda x: straight(kernel(x.detach()), x) if x.is_floating_point() else x,
            plain.reads,
            plain.writes,
        )
    to_integers = op == "QuantizeLinear" or (op == "Cast" and node.get("to") in INTEGERS)
    if to_integers:
        return _starting(node, plain, beside)
    if op in ("Cast", "DequantizeLinear"):
        return _ending(plain, beside)
    return _carrying(plain, _CARRYING.get(op, range(0)), beside)


def _starting(node: Node, plain: Wiring, beside: set[str]) -> Wiring:
    """Let a node that makes integers give the floats as well."""
    kernel, floats = plain.kernel, unrounded(node)
    (output,) = plain.writes
    source = floats_of(plain.reads[0]) if plain.reads[0] in beside else ""
    beside.add(output)

    def both(*inputs: Tensor | None) -> tuple[Tensor, Tensor | None]:
        *given, before = inputs
        return kernel(*given), before if before is not None else floats(*given)

    return Wiring(both, (*plain.reads, source), (output, floats_of(output)))


def _ending(plain: Wiring, beside: set[str]) -> Wiring:
    """Let a node that makes floats of integers hand its gradient to the floats they come from."""
    if plain.reads[0] not in beside:
        return plain
    kernel = plain.kernel

    def joined(values: Tensor, *others: Tensor | None) -> Tensor:
        *given, floats = others
        if floats is None:
            return kernel(values, *given)
        return kernel(straight(values.to(floats.dtype), floats), *given)

    return Wiring(joined, (*plain.reads, floats_of(plain.reads[0])), plain.writes)


def _carrying(plain: Wiring, places: range, beside: set[str]) -> Wiring:
    """Let a node do to the floats what it does to the integers."""
    carried = [i for i, name in enumerate(plain.reads) if i in places and name in beside]
    if not carried or len(plain.writes) > 1:
        return plain
    kernel, count, (output,) = plain.kernel, len(plain.reads), plain.writes
    beside.add(output)

    def both(*inputs: Tensor | None) -> tuple[Tensor, Tensor | None]:
        given, floats = inputs[:count], list(inputs[:count])
        if all(item is None for item in inputs[count:]):
            return kernel(*given), None
        for place, item in zip(carried, inputs[count:], strict=True):
            floats[place] = given[place] if item is None else item
        return kernel(*given), kernel(*floats)

    extra = tuple(floats_of(plain.reads[place]) for place in carried)
    return Wiring(both, (*plain.reads, *extra), (output, floats_of(output)))
