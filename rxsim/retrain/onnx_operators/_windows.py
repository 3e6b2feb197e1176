"""Strides, dilations and pads of windows that slide over images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rxsim.retrain.node import Node
from rxsim.retrain.torch_library import Tensor, functional

Pads = tuple[tuple[int, int], ...]
"""For each axis of an image how many places are added before and behind it."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How windows slide, as a node states it; empty lists stand for ONNX's defaults.

    Attributes:
        strides: along each axis of the image.
        dilations: along each axis.
        stated: pads before each axis, then behind each.
        auto_pad: ONNX's name of how pads are chosen.
    """

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    stated: tuple[int, ...]
    auto_pad: str

    @staticmethod
    def of(node: Node) -> Windows:
        """Read a node's attributes."""
        known = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
        steps, gaps, pads = (tuple(node.get(name, ())) for name in ("strides", "dilations", "pads"))
        return Windows(steps, gaps, pads, node.one_of("auto_pad", "NOTSET", known))

    def steps(self, axes: int) -> tuple[int, ...]:
        """Return the stride along each axis."""
        return self.strides or (1,) * axes

    def gaps(self, axes: int) -> tuple[int, ...]:
        """Return the dilation along each axis."""
        return self.dilations or (1,) * axes

    def spans(self, kernel: Sequence[int]) -> tuple[int, ...]:
        """Return how many places a window spans along each axis."""
        gaps = self.gaps(len(kernel))
        return tuple((k - 1) * gap + 1 for k, gap in zip(kernel, gaps, strict=True))

    def pads(self, sizes: Sequence[int], kernel: Sequence[int]) -> Pads:
        """Return the pads of an image.

        Args:
            sizes: of the image along each axis.
            kernel: of the window.
        """
        axes = len(kernel)
        if self.auto_pad == "NOTSET" and self.stated:
            return tuple(zip(self.stated[:axes], self.stated[axes:], strict=True))
        if not self.auto_pad.startswith("SAME"):
            return ((0, 0),) * axes
        steps = self.steps(axes)
        needed = (
            max((math.ceil(size / step) - 1) * step + span - size, 0)
            for size, step, span in zip(sizes, steps, self.spans(kernel), strict=True)
        )
        return tuple(split(total, self.auto_pad == "SAME_UPPER") for total in needed)


def split(total: int, more_behind: bool) -> tuple[int, int]:
    """Split pads between both ends; an odd one goes behind, or before."""
    less, more = total // 2, total - total // 2
    return (less, more) if more_behind else (more, less)


def padded(x: Tensor, pads: Pads, value: float = 0) -> Tensor:
    """Add places around an image; negative pads cut places off."""
    if not any(before or behind for before, behind in pads):
        return x
    flat = [item for pair in reversed(pads) for item in pair]
    return functional.pad(x, flat, value=value)
