"""Leave out of a graph what none of its outputs needs; onnxruntime would compute it."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from rxsim.onnx_graph.constants import drop_unused_constants
from rxsim.onnx_graph.nodes import use_counts


def keep_outputs(model: onnx.ModelProto, names: Sequence[str]) -> None:
    """Make some tensors of a model its only outputs, and drop nodes and constants that they don't need.

    Args:
        model: changed in place.
        names: tensors that are outputs already, or are made by its nodes outside of any body.
    """
    graph = model.graph
    known = {value.name: value for value in graph.output}
    kept = [known.get(name, onnx.ValueInfoProto(name=name)) for name in dict.fromkeys(names)]
    del graph.output[:]
    graph.output.extend(kept)
    needed = set(names)
    for place in range(len(graph.node) - 1, -1, -1):
        node = graph.node[place]
        if needed.isdisjoint(node.output):
            del graph.node[place]
            continue
        needed.update(use_counts(onnx.ModelProto(), [node]))
    drop_unused_constants(model)
