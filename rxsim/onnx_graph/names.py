"""Names of tensors and nodes: which are taken, and a free one."""

from __future__ import annotations

import onnx


def taken_names(model: onnx.ModelProto) -> set[str]:
    """Return every name of a tensor or a node, those of subgraphs included."""
    graphs = [model.graph]
    taken: set[str] = set()
    while graphs:
        graph = graphs.pop()
        taken.update(tensor.name for tensor in graph.initializer)
        taken.update(value.name for value in graph.input)
        for node in graph.node:
            taken.update([node.name, *node.output])
            for attribute in node.attribute:
                graphs.extend([attribute.g] if attribute.HasField("g") else attribute.graphs)
    return taken


def fresh_name(taken: set[str], wanted: str) -> str:
    """Return a name that is not taken yet, and take it (see `taken_names`)."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    taken.add(name)
    return name
