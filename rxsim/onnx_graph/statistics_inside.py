"""Statistics of inner tensors, computed inside a graph before anything else reads the tensor.

A tensor that is an output of a run is held until the run ends. With its statistics in its place, and
with all its readers waiting for these, it is freed as if nobody watched it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx

from rxsim.onnx_graph.builder import GraphBuilder
from rxsim.onnx_graph.names import taken_names
from rxsim.onnx_graph.scopes import all_nodes, inner_graphs

WriteStatistic = Callable[[GraphBuilder, str], str]
"""`write(build, tensor)`: adds nodes that compute a statistic, and returns the statistic's name."""

# Operators whose results' lengths depend on values: a tensor may be empty, and has no largest value.
_OF_ANY_LENGTH = frozenset(
    ("Compress", "If", "Loop", "NonMaxSuppression", "NonZero", "Range", "Unique")
)


def has_known_lengths(model: onnx.ModelProto) -> bool:
    """Tell whether no tensor's length depends on the values of the inputs."""
    return all(node.op_type not in _OF_ANY_LENGTH for node in all_nodes(model.graph))


def made_outside_bodies(model: onnx.ModelProto) -> set[str]:
    """Return the names of the tensors that nodes outside of any body make."""
    return {name for node in model.graph.node for name in node.output}


def with_statistics(
    model: onnx.ModelProto, wanted: Mapping[str, WriteStatistic]
) -> tuple[onnx.ModelProto, dict[str, str]]:
    """Return a copy of a model that also computes statistics of some of its float32 tensors.

    Args:
        model: the model.
        wanted: by the name of a tensor, made by a node outside of any body, what is to be computed.

    Returns:
        The copy, and the name of each tensor's statistic. No tensor's values change; a tensor that is
        an output of the model stays one.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    build = GraphBuilder("rxsim_statistics", taken_names(watched))
    names: dict[str, str] = {}
    later: dict[str, str] = {}
    infinite = build.scalar("infinite", np.inf)
    nodes: list[onnx.NodeProto] = []
    for node in watched.graph.node:
        _read_instead(node, later)
        nodes.append(node)
        for tensor in node.output:
            if tensor in wanted:
                names[tensor] = wanted[tensor](build, tensor)
                later[tensor] = _behind(build, tensor, names[tensor], infinite)
        nodes += build.nodes
        build.nodes.clear()
    del watched.graph.node[:]
    watched.graph.node.extend(nodes)
    watched.graph.initializer.extend(build.constants)
    return watched, names


def _behind(build: GraphBuilder, tensor: str, statistic: str, infinite: str) -> str:
    """Write a tensor that can't be computed before a statistic: its minimum with infinity.

    Which infinity is chosen by the statistic, so that no runtime knows it beforehand.
    """
    flat = build.add("Reshape", [statistic, build.constant("row", np.array([-1]))], "flat")
    first = build.add("Gather", [flat, build.constant("place", np.array(0))], "first", axis=0)
    wide = build.add("Cast", [first], "wide", to=onnx.TensorProto.FLOAT)
    is_below = build.add("Less", [wide, infinite], "is_below")
    bound = build.add("Where", [is_below, infinite, infinite], "bound")
    return build.add("Min", [tensor, bound], "tensor")


def _read_instead(node: onnx.NodeProto, instead: Mapping[str, str]) -> None:
    """Let a node, and what is inside it, read other tensors."""
    for place, name in enumerate(node.input):
        if name in instead:
            node.input[place] = instead[name]
    for inner in inner_graphs(node):
        for each in inner.node:
            _read_instead(each, instead)
