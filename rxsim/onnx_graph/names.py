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


def fresh_name(taken: set[str], wanted: str, tried: dict[str, int] | None = None) -> str:
    """Return a name that is not taken yet, and take it (see `taken_names`).

    Args:
        taken: names in use; extended.
        wanted: the name, which gets a number behind it where it is taken.
        tried: by such a name the number that it got last, behind which free ones lie; extended. Without
            it many names that are alike take a time that grows with their square.
    """
    number = 1 if tried is None else tried.get(wanted, 1)
    name = wanted if number == 1 else f"{wanted}_{number}"
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    if tried is not None:
        tried[wanted] = number
    return name
