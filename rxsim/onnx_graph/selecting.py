"""Nodes that select some indices of one axis of a tensor."""

from __future__ import annotations

import numpy as np

from rxsim.onnx_graph.builder import GraphBuilder


def take(
    build: GraphBuilder, source: str, wanted: np.ndarray, total: int, axis: int, part: str
) -> str:
    """Take some indices in ascending order: nothing to do for all, a Slice for a range, or a Gather.

    Args:
        build: takes the nodes.
        source: name of the tensor.
        wanted: the indices, int64.
        total: the axis' length.
        axis: which axis.
        part: name of the result.
    """
    indices = np.sort(wanted)
    if len(indices) == total:
        return source
    if indices[-1] - indices[0] + 1 == len(indices):
        return take_range(build, source, int(indices[0]), int(indices[-1]) + 1, axis, part)
    return build.add("Gather", [source, build.constant(f"{part}_index", indices)], part, axis=axis)


def take_range(
    build: GraphBuilder, source: str, start: int, stop: int, axis: int, part: str
) -> str:
    """Slice a tensor along one axis."""
    bounds = [
        build.constant(f"{part}_{name}", np.asarray([value], dtype=np.int64))
        for name, value in (("start", start), ("end", stop), ("axis", axis))
    ]
    return build.add("Slice", [source, *bounds], part)
