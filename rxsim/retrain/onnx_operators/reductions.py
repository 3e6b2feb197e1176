"""Reductions over axes, given as an attribute or as an input."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rxsim.retrain.node import Kernel, Node, UnsupportedError
from rxsim.retrain.torch_library import Tensor, torch

_Reduce = Callable[[Tensor, list[int], bool], Tensor]


def _over_axes(reduce: _Reduce) -> Callable[[Node], Kernel]:
    """Return the maker of a reduction: over all axes where none are given, or over none."""

    def make(node: Node) -> Kernel:
        axes, keep = node.listed(1, "axes"), bool(node.get("keepdims", 1))
        nothing = bool(node.get("noop_with_empty_axes", 0))

        def reduced(*inputs: Tensor | None) -> Tensor:
            x, chosen = inputs[0], axes(inputs)
            assert x is not None
            if not chosen:
                if nothing:
                    return reduce(x.unsqueeze(0), [0], False)
                chosen = list(range(x.dim()))
            return reduce(x, chosen, keep) if chosen else reduce(x.unsqueeze(0), [0], False)

        return reduced

    return make


def _prod(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = torch.prod(x, axis, keepdim=keep)
    return x


def _norm(p: int) -> _Reduce:
    return lambda x, axes, keep: torch.linalg.vector_norm(x, p, axes, keepdim=keep)


def _argument(function: Callable[..., Tensor]) -> Callable[[Node], Kernel]:
    def make(node: Node) -> Kernel:
        if node.get("select_last_index", 0):
            raise UnsupportedError("select_last_index 1")
        axis, keep = node.get("axis", 0), bool(node.get("keepdims", 1))
        return lambda x: function(x, axis, keepdim=keep)

    return make


OPERATORS: Mapping[str, Callable[[Node], Kernel]] = {
    "ArgMax": _argument(torch.argmax),
    "ArgMin": _argument(torch.argmin),
    "ReduceL1": _over_axes(_norm(1)),
    "ReduceL2": _over_axes(_norm(2)),
    "ReduceLogSum": _over_axes(lambda x, axes, keep: torch.log(torch.sum(x, axes, keepdim=keep))),
    "ReduceLogSumExp": _over_axes(lambda x, axes, keep: torch.logsumexp(x, axes, keepdim=keep)),
    "ReduceMax": _over_axes(lambda x, axes, keep: torch.amax(x, axes, keepdim=keep)),
    "ReduceMean": _over_axes(lambda x, axes, keep: torch.mean(x, axes, keepdim=keep)),
    "ReduceMin": _over_axes(lambda x, axes, keep: torch.amin(x, axes, keepdim=keep)),
    "ReduceProd": _over_axes(_prod),
    "ReduceSum": _over_axes(lambda x, axes, keep: torch.sum(x, axes, keepdim=keep, dtype=x.dtype)),
    "ReduceSumSquare": _over_axes(
        lambda x, axes, keep: torch.sum(x * x, axes, keepdim=keep, dtype=x.dtype)
    ),
}
