"""Operators that take values of a tensor by their places: Slice, Gather, Pad, Resize."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from rxsim.retrain.node import Kernel, Node, UnsupportedError
from rxsim.retrain.torch_library import Tensor, functional, torch


def _taken(x: Tensor, axis: int, places: np.ndarray) -> Tensor:
    """Take places, int64, along an axis."""
    return x.index_select(axis, torch.from_numpy(places))


def _slice(node: Node) -> Kernel:
    starts, ends = node.listed(1, "starts"), node.listed(2, "ends")
    axes, steps = node.listed(3, "axes"), node.listed(4)

    def part(*inputs: Tensor) -> Tensor:
        x, first, last = inputs[0], starts(inputs) or [], ends(inputs) or []
        along = axes(inputs) or list(range(len(first)))
        by = steps(inputs) or [1] * len(first)
        for axis, start, end, step in zip(along, first, last, by, strict=True):
            wanted = range(*slice(start, end, step).indices(x.shape[axis]))
            if step == 1:
                x = x.narrow(axis, wanted.start, len(wanted))
            else:
                x = _taken(x, axis, np.arange(wanted.start, wanted.stop, step, dtype=np.int64))
        return x

    return part


def _gather(node: Node) -> Kernel:
    axis, known = node.get("axis", 0), node.constant(1)
    from_end = known is None or bool((known < 0).any())

    def gather(x: Tensor, index: Tensor) -> Tensor:
        along = axis % x.dim()
        if from_end:
            index = torch.where(index < 0, index + x.shape[along], index)
        taken = x.index_select(along, index.reshape(-1))
        return taken.reshape((*x.shape[:along], *index.shape, *x.shape[along + 1 :]))

    return gather


def _gather_elements(node: Node) -> Kernel:
    axis = node.get("axis", 0)

    def gather(x: Tensor, index: Tensor) -> Tensor:
        index = index.to(torch.int64)
        return torch.gather(x, axis, torch.where(index < 0, index + x.shape[axis], index))

    return gather


def _pad(node: Node) -> Kernel:
    mode = node.one_of("mode", "constant", ("constant", "reflect", "edge", "wrap"))
    pads, axes, fixed = node.listed(1, "pads"), node.listed(3), node.get("value", node.scalar(2))

    def pad(*inputs: Tensor) -> Tensor:
        x, given = inputs[0], pads(inputs) or []
        along = axes(inputs) or list(range(x.dim()))
        both = dict.fromkeys(range(x.dim()), (0, 0))
        for place, axis in enumerate(along):
            both[axis % x.dim()] = (given[place], given[place + len(along)])
        if mode == "constant":
            value = fixed
            if value is None:
                value = inputs[2].item() if len(inputs) > 2 and inputs[2] is not None else 0
            flat = [item for axis in reversed(range(x.dim())) for item in both[axis]]
            return functional.pad(x, flat, value=value)
        for axis, (before, behind) in both.items():
            if before or behind:
                places = np.arange(-before, x.shape[axis] + behind)
                x = _taken(x, axis, _inside(places, x.shape[axis], mode))
        return x

    return pad


def _inside(places: np.ndarray, size: int, mode: str) -> np.ndarray:
    """Bring places outside of an axis to places inside."""
    if mode == "edge":
        clipped: np.ndarray = np.clip(places, 0, size - 1)
        return clipped
    if mode == "wrap":
        wrapped: np.ndarray = places % size
        return wrapped
    period = max(2 * (size - 1), 1)
    turned: np.ndarray = np.abs((places + size - 1) % period - (size - 1))
    return turned


_COORDINATES: Mapping[str, Callable[[np.ndarray, float, int, int], np.ndarray]] = {
    "half_pixel": lambda x, scale, n, m: (x + 0.5) / scale - 0.5,
    "pytorch_half_pixel": lambda x, scale, n, m: (x + 0.5) / scale - 0.5 if m > 1 else 0 * x,
    "asymmetric": lambda x, scale, n, m: x / scale,
    "align_corners": lambda x, scale, n, m: x * (n - 1) / (m - 1) if m > 1 else 0 * x,
    "half_pixel_symmetric": lambda x, scale, n, m: (
        n / 2 * (1 - m / (scale * n)) + (x + 0.5) / scale - 0.5
    ),
}
"""Where a place of the output lies in the input: places, scale, lengths of input and output."""
_NEAREST: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _resize(node: Node) -> Kernel:
    mode = node.one_of("mode", "nearest", ("nearest", "linear"))
    where = node.one_of("coordinate_transformation_mode", "half_pixel", tuple(_COORDINATES))
    nearest = node.one_of("nearest_mode", "round_prefer_floor", tuple(_NEAREST))
    node.one_of("keep_aspect_ratio_policy", "stretch", ("stretch",))
    if node.get("antialias", 0):
        raise UnsupportedError("antialias 1")
    factors, lengths, axes = node.listed(2), node.listed(3), node.get("axes")

    def resize(*inputs: Tensor) -> Tensor:
        x, scales, sizes = inputs[0], factors(inputs), lengths(inputs)
        for place, axis in enumerate(range(x.dim()) if axes is None else axes):
            n = x.shape[axis]
            m = sizes[place] if sizes else math.floor(n * scales[place] + 1e-9) if scales else n
            scale = m / n if sizes or not scales else scales[place]
            if m != n or scale != 1:
                at = _COORDINATES[where](np.arange(m, dtype=np.float64), scale, n, m)
                x = _at(x, axis, at, None if mode == "linear" else _NEAREST[nearest])
        return x

    return resize


def _upsample(node: Node) -> Kernel:
    mode = node.one_of("mode", "nearest", ("nearest", "linear"))
    factors = node.listed(1, "scales")

    def upsample(*inputs: Tensor) -> Tensor:
        x = inputs[0]
        for axis, scale in enumerate(factors(inputs) or []):
            at = np.arange(math.floor(x.shape[axis] * scale + 1e-9)) / scale
            x = _at(x, axis, at, None if mode == "linear" else np.floor) if scale != 1 else x
        return x

    return upsample


def _at(
    x: Tensor, axis: int, at: np.ndarray, nearest: Callable[[np.ndarray], np.ndarray] | None
) -> Tensor:
    """Read a tensor between its places along an axis: the nearest value, or linearly."""
    n = x.shape[axis]
    if nearest is not None:
        return _taken(x, axis, np.clip(nearest(at), 0, n - 1).astype(np.int64))
    at = np.clip(at, 0, n - 1)
    below = np.minimum(np.floor(at), max(n - 2, 0)).astype(np.int64)
    above = np.minimum(below + 1, n - 1)
    shape = [-1 if other == axis else 1 for other in range(x.dim())]
    share = torch.from_numpy(at - below).to(x.dtype).reshape(shape)
    return _taken(x, axis, below) * (1 - share) + _taken(x, axis, above) * share


OPERATORS: Mapping[str, Callable[[Node], Kernel]] = {
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Pad": _pad,
    "Resize": _resize,
    "Slice": _slice,
    "Upsample": _upsample,
}
