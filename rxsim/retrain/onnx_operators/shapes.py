"""Operators that change the shape of a tensor, tell it, or make a tensor of a shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rxsim.onnx_graph import values_of
from rxsim.retrain.node import Kernel, Node, UnsupportedError
from rxsim.retrain.torch_library import Tensor, torch

_Inputs = Sequence[Tensor | None]


def _reshape(node: Node) -> Kernel:
    wanted, copies = node.listed(1, "shape"), not node.get("allowzero", 0)

    def reshape(*inputs: Tensor) -> Tensor:
        x, shape = inputs[0], wanted(inputs) or []
        if copies and 0 in shape:
            shape = [size or x.shape[axis] for axis, size in enumerate(shape)]
        if -1 in shape and not x.numel():  # torch can't divide by 0
            rest = math.prod(size for size in shape if size != -1)
            shape = [0 if size == -1 and rest else size for size in shape]
        return x.reshape(shape)

    return reshape


def _flatten(node: Node) -> Kernel:
    axis = node.get("axis", 1)

    def flatten(x: Tensor) -> Tensor:
        first = axis if axis >= 0 else axis + x.dim()
        return x.reshape(math.prod(x.shape[:first]), math.prod(x.shape[first:]))

    return flatten


def _transpose(node: Node) -> Kernel:
    order = node.get("perm")
    return lambda x: x.permute(tuple(range(x.dim()))[::-1] if order is None else tuple(order))


def _squeeze(node: Node) -> Kernel:
    axes = node.listed(1, "axes")

    def squeeze(*inputs: Tensor) -> Tensor:
        chosen = axes(inputs)
        return inputs[0].squeeze() if chosen is None else inputs[0].squeeze(tuple(chosen))

    return squeeze


def _unsqueeze(node: Node) -> Kernel:
    axes = node.listed(1, "axes")

    def unsqueeze(*inputs: Tensor) -> Tensor:
        x, chosen = inputs[0], axes(inputs) or []
        rank = x.dim() + len(chosen)
        for axis in sorted(axis % rank for axis in chosen):
            x = x.unsqueeze(axis)
        return x

    return unsqueeze


def _concat(node: Node) -> Kernel:
    axis = node.get("axis", 0)
    return lambda *inputs: torch.cat(inputs, axis)


def _split(node: Node) -> Kernel:
    axis, sizes, count = node.get("axis", 0), node.listed(1, "split"), len(node.proto.output)
    count = node.get("num_outputs", count)

    def split(*inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        x, given = inputs[0], sizes(inputs)
        if given is None:
            each, length = math.ceil(x.shape[axis] / count), x.shape[axis]
            given = [min(each, max(length - place * each, 0)) for place in range(count)]
        parts = torch.split(x, given, axis)
        return parts[0] if node.outputs == 1 else tuple(parts)

    return split


def _expand(node: Node) -> Kernel:
    wanted = node.listed(1)

    def expand(*inputs: Tensor) -> Tensor:
        x, shape = inputs[0], wanted(inputs) or []
        return x.expand(torch.broadcast_shapes(x.shape, shape))

    return expand


def _tile(node: Node) -> Kernel:
    repeats = node.listed(1)
    return lambda *inputs: inputs[0].repeat(repeats(inputs))


def _shape(node: Node) -> Kernel:
    part = slice(node.get("start", 0), node.get("end"))
    return lambda x: torch.tensor(list(x.shape)[part], dtype=torch.int64)


def _constant_of_shape(node: Node) -> Kernel:
    stored = node.get("value")
    value = np.zeros(1, np.float32) if stored is None else values_of(stored)
    single, wanted = torch.from_numpy(np.array(value).reshape(())), node.listed(0)
    return lambda *inputs: single.expand(wanted(inputs) or []).clone()


def _range(node: Node) -> Kernel:
    def numbers(start: Tensor, limit: Tensor, step: Tensor) -> Tensor:
        first, last, each = (item.item() for item in (start, limit, step))
        count = max(math.ceil((last - first) / each), 0)
        return first + each * torch.arange(count, dtype=start.dtype)

    return numbers


def _depth_to_space(node: Node) -> Kernel:
    block, mode = node.get("blocksize"), node.one_of("mode", "DCR", ("DCR", "CRD"))

    def space(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        depth = c // block**2
        if mode == "DCR":
            moved = x.reshape(n, block, block, depth, h, w).permute(0, 3, 4, 1, 5, 2)
        else:
            moved = x.reshape(n, depth, block, block, h, w).permute(0, 1, 4, 2, 5, 3)
        return moved.reshape(n, depth, h * block, w * block)

    return space


def _space_to_depth(node: Node) -> Kernel:
    block = node.get("blocksize")

    def depth(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        moved = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
        return moved.reshape(n, c * block**2, h // block, w // block)

    return depth


def _dropout(node: Node) -> Kernel:
    """Pass everything on, as in inference."""
    if node.scalar(2) or (node.has(2) and node.constant(2) is None):
        raise UnsupportedError("training_mode")
    if node.outputs == 1:
        return lambda x, *others: x
    return lambda x, *others: (x, torch.ones_like(x, dtype=torch.bool))


OPERATORS: Mapping[str, Callable[[Node], Kernel]] = {
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _depth_to_space,
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": lambda node: lambda x: torch.tensor(x.numel(), dtype=torch.int64),
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
