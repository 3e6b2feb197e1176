"""How a layer's input tensor becomes input vectors, and its results an output tensor."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np

from twin.arrays import Tensor


@dataclass(frozen=True)
class Overlap:
    """How the windows of a transposed convolution lie over its output.

    Attributes:
        kernel: Window along each axis.
        strides: From an input place to the next.
        dilations: From a window's place to the next.
        pads: What is cut off before every axis, then behind every axis, where auto_pad is NOTSET.
        auto_pad: NOTSET, VALID, SAME_UPPER or SAME_LOWER.
        output_padding: What is added behind every axis.
        output_shape: Lengths of the output's axes; () where they follow from the rest.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    auto_pad: str
    output_padding: tuple[int, ...]
    output_shape: tuple[int, ...]

    def added(self, windows: Tensor) -> Tensor:
        """Add up windows (B, C * positions, *input axes) where they overlap; any, of booleans."""
        batch, _, *sizes = windows.shape
        parts = windows.reshape(batch, -1, *self.kernel, *sizes)
        axes = [self._axis(axis, size) for axis, size in enumerate(sizes)]
        whole = np.zeros((*parts.shape[:2], *(full for full, _, _ in axes)), dtype=windows.dtype)
        for place in itertools.product(*(range(length) for length in self.kernel)):
            where: list[Any] = [slice(None), slice(None)]
            for axis, at in enumerate(place):
                first = at * self.dilations[axis]
                stop = first + (sizes[axis] - 1) * self.strides[axis] + 1
                where.append(slice(first, stop, self.strides[axis]))
            seen: tuple[Any, ...] = (slice(None), slice(None), *place)
            whole[tuple(where)] += parts[seen]
        cut = [slice(before, before + length) for _, before, length in axes]
        return whole[(slice(None), slice(None), *cut)]

    def _axis(self, axis: int, size: int) -> tuple[int, int, int]:
        """Return the length of all windows, what is cut off before, and the output's length."""
        extent = (self.kernel[axis] - 1) * self.dilations[axis] + 1
        full = (size - 1) * self.strides[axis] + extent + self.output_padding[axis]
        before, after = self.pads[axis], self.pads[axis + len(self.kernel)]
        same = self.auto_pad.startswith("SAME")
        if self.auto_pad == "VALID":
            before = after = 0
        elif same or self.output_shape:
            wanted = self.output_shape[axis] if self.output_shape else size * self.strides[axis]
            total = max(full - wanted, 0)
            small, large = total // 2, total - total // 2
            before, after = (small, large) if self.auto_pad == "SAME_UPPER" else (large, small)
        return full, before, full - before - after


@dataclass(frozen=True)
class Geometry:
    """The axes of a layer.

    Attributes:
        is_conv: Convolution over any number of axes, else the last axis is the input vector.
        groups: Number of groups G; 1 for Gemm and MatMul.
        kernel: Kernel length along each axis.
        strides: Strides.
        dilations: Dilations.
        pads: Padding before every axis, then behind every axis, where auto_pad is NOTSET.
        auto_pad: NOTSET, VALID, SAME_UPPER or SAME_LOWER.
        is_batched: A matrix for each place of the last axis but two: its places and rows are channels.
        overlap: Of a transposed convolution, whose outputs are windows; None of others.
    """

    is_conv: bool
    groups: int = 1
    kernel: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    auto_pad: str = "NOTSET"
    is_batched: bool = False
    overlap: Overlap | None = None

    def before(self, x: Tensor) -> Tensor:
        """Return what drives the arrays: of batched matrices (B, G, M, K) as (B, G*K, M)."""
        if not self.is_batched:
            return x
        batch, groups, places, rows = x.shape
        return x.transpose(0, 1, 3, 2).reshape(batch, groups * rows, places)

    @property
    def positions(self) -> int:
        """Kernel positions."""
        return prod(self.kernel)

    def vectors(self, x: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        """Return the input vectors of a tensor; padding is 0 (or False).

        Args:
            x: Layer input, shape (B, C, *axes) for a convolution, else (..., K).

        Returns:
            vectors: Shape (M, G, K), rows in channel-major order.
            lead: Shape of the M axis, (B, *output axes) or (...).
        """
        if not self.is_conv:
            return x.reshape(-1, 1, x.shape[-1]), x.shape[:-1]
        axes = [self._axis(axis, size) for axis, size in enumerate(x.shape[2:])]
        padded = np.pad(x, [(0, 0), (0, 0), *((before, after) for before, after, _ in axes)])
        out = tuple(length for _, _, length in axes)
        patches = np.zeros((x.shape[0], *out, x.shape[1], *self.kernel), dtype=x.dtype)
        for place in itertools.product(*(range(length) for length in self.kernel)):
            seen = padded
            for axis, at in enumerate(place):
                first, step = at * self.dilations[axis], self.strides[axis]
                places = first + step * np.arange(out[axis])
                seen = seen.take(places, axis=2 + axis)
            at_place: tuple[Any, ...] = (..., *place)
            patches[at_place] = np.moveaxis(seen, 1, -1)
        rows = x.shape[1] // self.groups * self.positions
        return patches.reshape(-1, self.groups, rows), (x.shape[0], *out)

    def tensor(self, y: Tensor, lead: tuple[int, ...]) -> Tensor:
        """Return the output tensor of per-vector results.

        Args:
            y: Results, shape (M, G, N).
            lead: Shape of the M axis.

        Returns:
            Shape (B, G*N, *output axes) for a convolution, (B, G, M, N) for batched matrices, else
            (..., N).
        """
        joined = y.reshape(*lead, y.shape[1] * y.shape[2])
        result = np.moveaxis(joined, -1, 1) if self.is_conv else joined
        if self.is_batched:
            batch, _, places = result.shape
            return result.reshape(batch, self.groups, -1, places).transpose(0, 1, 3, 2)
        return result if self.overlap is None else self.overlap.added(result)

    def _axis(self, axis: int, size: int) -> tuple[int, int, int]:
        """Return the padding before and after one axis and its output length."""
        stride = self.strides[axis]
        extent = (self.kernel[axis] - 1) * self.dilations[axis] + 1
        before, after = self.pads[axis], self.pads[axis + len(self.kernel)]
        if self.auto_pad == "VALID":
            before = after = 0
        elif self.auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            total = max((ceil(size / stride) - 1) * stride + extent - size, 0)
            small, large = total // 2, total - total // 2
            before, after = (small, large) if self.auto_pad == "SAME_UPPER" else (large, small)
        return before, after, (size + before + after - extent) // stride + 1
