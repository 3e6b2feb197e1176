"""Pooling over windows, and over whole images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rxsim.retrain.node import Kernel, Node, always
from rxsim.retrain.onnx_operators._windows import Pads, Windows, padded
from rxsim.retrain.torch_library import Tensor, functional, torch

_MAXIMA = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_CONVS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_MEANS = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


@dataclass(frozen=True, slots=True)
class _Pool:
    """Windows of a pool.

    Attributes:
        windows: how they slide.
        kernel: their lengths.
        ceil: whether a last window may reach beyond the padded image.
    """

    windows: Windows
    kernel: tuple[int, ...]
    ceil: bool

    @staticmethod
    def of(node: Node) -> _Pool:
        node.only_first_output()
        ceil = bool(node.get("ceil_mode", 0))
        return _Pool(Windows.of(node), tuple(node.get("kernel_shape")), ceil)

    @property
    def steps(self) -> tuple[int, ...]:
        return self.windows.steps(len(self.kernel))

    @property
    def gaps(self) -> tuple[int, ...]:
        return self.windows.gaps(len(self.kernel))

    def reach(self, sizes: Sequence[int], pads: Pads) -> Pads:
        """Return the pads, those behind the image as far as the last window reaches."""
        if not self.ceil:
            return pads
        reached = []
        spans = self.windows.spans(self.kernel)
        for size, (before, behind), span, step in zip(sizes, pads, spans, self.steps, strict=True):
            count = math.ceil((size + before + behind - span) / step) + 1
            # A window that would start behind the image is left out.
            if (count - 1) * step >= size + before:
                count -= 1
            reached.append((before, max((count - 1) * step + span - size - before, behind)))
        return tuple(reached)


def _max_pool(node: Node) -> Kernel:
    pool = _Pool.of(node)
    axes = len(pool.kernel)

    def largest(x: Tensor) -> Tensor:
        pads = pool.reach(x.shape[2:], pool.windows.pads(x.shape[2:], pool.kernel))
        kind = x.dtype
        if not x.is_floating_point():
            x = x.double()
        around = [before for before, _ in pads]
        if any(a != b or 2 * a > k for (a, b), k in zip(pads, pool.kernel, strict=True)):
            x, around = padded(x, pads, -math.inf), [0] * axes
        return _MAXIMA[axes](x, pool.kernel, pool.steps, around, pool.gaps).to(kind)

    return largest


def _average_pool(node: Node) -> Kernel:
    pool, count_pads = _Pool.of(node), bool(node.get("count_include_pad", 0))
    axes, size = len(pool.kernel), math.prod(pool.kernel)

    def mean(x: Tensor) -> Tensor:
        pads = pool.windows.pads(x.shape[2:], pool.kernel)
        reach = pool.reach(x.shape[2:], pads)
        if not any(before or behind for before, behind in reach):
            return _mean(pool, x)
        ones = x.new_ones((1, 1, *x.shape[2:]))
        if count_pads:
            rest = zip(reach, pads, strict=True)
            ones = padded(ones, pads, 1.0)
            counted = padded(ones, tuple((0, far - near) for (_, far), (_, near) in rest))
        else:
            counted = padded(ones, reach)
        share = _mean(pool, counted)
        return _mean(pool, padded(x, reach)) / torch.clamp(share, min=1 / size)

    def _mean(pool: _Pool, x: Tensor) -> Tensor:
        if all(gap == 1 for gap in pool.gaps):
            return _MEANS[axes](x, pool.kernel, pool.steps)
        return _sum(pool, x) / size

    return mean


def _sum(pool: _Pool, x: Tensor) -> Tensor:
    """Sum over each window, channel by channel."""
    channels, axes = x.shape[1], len(pool.kernel)
    ones = x.new_ones((channels, 1, *pool.kernel))
    return _CONVS[axes](x, ones, None, pool.steps, 0, pool.gaps, channels)


def _lp_pool(node: Node) -> Kernel:
    pool, p = _Pool.of(node), node.get("p", 2)

    def norm(x: Tensor) -> Tensor:
        reach = pool.reach(x.shape[2:], pool.windows.pads(x.shape[2:], pool.kernel))
        return _root(_sum(pool, padded(torch.abs(x) ** p, reach)), p)

    return norm


def _root(total: Tensor, p: int) -> Tensor:
    """Return the p-th root, with the gradient 0 at 0."""
    above = total > 0
    return torch.where(above, torch.where(above, total, torch.ones_like(total)) ** (1 / p), total)


def _image(x: Tensor) -> list[int]:
    return list(range(2, x.dim()))


def _global_lp_pool(node: Node) -> Kernel:
    p = node.get("p", 2)
    return lambda x: torch.linalg.vector_norm(x, p, _image(x), keepdim=True)


OPERATORS: Mapping[str, Callable[[Node], Kernel]] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": always(lambda x: torch.mean(x, _image(x), keepdim=True)),
    "GlobalLpPool": _global_lp_pool,
    "GlobalMaxPool": always(lambda x: torch.amax(x, _image(x), keepdim=True)),
    "LpPool": _lp_pool,
    "MaxPool": _max_pool,
}
