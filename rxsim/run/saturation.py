"""How many conversions of a layer saturate: counted in the graph, or from the currents of a batch.

In the graph a current is freed as soon as it is converted; as an output of the run it would be held to
its end, beside those of all other passes and layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import onnx
from onnx import TensorProto

from rxsim.load import Layer
from rxsim.onnx_graph import GraphBuilder, WriteStatistic, made_outside_bodies
from rxsim.patch import LayerTaps


def saturation_counts(
    model: onnx.ModelProto, layers: Sequence[Layer], taps: Sequence[LayerTaps]
) -> dict[str, WriteStatistic]:
    """Return how the saturated values of currents are counted in the graph, by the current's name.

    Args:
        model: the patched network.
        layers: its layers.
        taps: where to watch each; currents in bodies of loops and branches are left out.
    """
    outside = made_outside_bodies(model)
    counts: dict[str, WriteStatistic] = {}
    for layer, tap in zip(layers, taps, strict=True):
        everything = (-np.inf, np.inf)
        bounds = tap.adc_bounds or (everything,) * len(tap.currents)
        for k, (name, sides) in enumerate(zip(tap.currents, bounds, strict=True)):
            if name in outside:
                present = None if tap.present is None else tap.present[k]
                counts[name] = partial(_add_count, *_sides(layer, sides, present))
    return counts


def saturation_in(
    layer: Layer, tap: LayerTaps, tensors: Mapping[str, np.ndarray], counted: Mapping[str, str]
) -> tuple[int, int]:
    """Return how many values of a layer's conversions saturate in a batch, and how many there are.

    Args:
        layer: the layer.
        tap: the currents to look at, and their bounds.
        tensors: of a batch, by name.
        counted: of a current by its name, where the graph counts, the tensor that holds the count.
    """
    totals = np.zeros(2, dtype=np.int64)
    for k, (name, (low, high)) in enumerate(zip(tap.currents, tap.adc_bounds or (), strict=True)):
        present = None if tap.present is None else tap.present[k]
        if name in counted:
            beyond, size = tensors[counted[name]].tolist()
            if present is not None:
                size = size // len(present) * int(present.sum())
        else:
            values = tensors[name]
            if present is not None:  # the last array of packed groups need not be full
                values = np.compress(present, values, layer.channel_axis)
            beyond, size = saturated(values, low - 0.5, high + 0.5), values.size
        totals += (beyond, size)
    return int(totals[0]), int(totals[1])


def saturated(values: np.ndarray, low: float, high: float) -> int:
    """Count the values at or beyond two bounds; quick where there are none, as is usual."""
    if values.max(initial=low) < high and values.min(initial=high) > low:
        return 0
    return int(np.count_nonzero(values >= high) + np.count_nonzero(values <= low))


def _sides(
    layer: Layer, bounds: tuple[float, float], present: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the currents from which on conversions saturate, LSB.

    A tie beside an odd code rounds away from it, beyond the range.

    Args:
        layer: the layer.
        bounds: the smallest and the largest code.
        present: which channels exist, bool (channels,); None: all. The others never saturate.
    """
    low, high = (np.float32(bounds[0] - 0.5), np.float32(bounds[1] + 0.5))
    if present is None:
        return np.asarray(low), np.asarray(high)
    sides = (np.where(present, low, -np.inf), np.where(present, high, np.inf))
    below, above = (layer.along_channels(side[None]).astype(np.float32) for side in sides)
    return below, above


def _add_count(low: np.ndarray, high: np.ndarray, build: GraphBuilder, current: str) -> str:
    """Write how many values of a current saturate, and how many it has, int64 (2,)."""
    below = build.add("LessOrEqual", [current, build.constant("low", low)], "below")
    above = build.add("GreaterOrEqual", [current, build.constant("high", high)], "above")
    beyond = build.add("Or", [below, above], "beyond")
    whole = build.add("Cast", [beyond], "ones", to=TensorProto.INT32)
    total = build.add("ReduceSum", [whole], "total", keepdims=0)
    total = build.add("Cast", [total], "count", to=TensorProto.INT64)
    row = build.constant("row", np.array([1]))
    parts = [
        build.add("Reshape", [part, row], "shaped")
        for part in (total, build.add("Size", [current], "size"))
    ]
    return build.add("Concat", parts, "counts", axis=0)
