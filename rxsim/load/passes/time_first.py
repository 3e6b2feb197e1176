"""Pass: let recurrent nodes take time first (layout 0), between Transposes where batch came first.

onnxruntime has no kernels for layout 1. Names of nodes, and of the tensors that others read, stay.
"""

from __future__ import annotations

import onnx
from onnx import helper

from rxsim.onnx_graph import all_graphs, attributes, fresh_name, taken_names

_RECURRENT = ("LSTM", "GRU", "RNN")
# Source: ONNX's LSTM, GRU and RNN: X (batch, time, inputs), states (batch, directions, hidden) and
# Y (batch, time, directions, hidden) for layout 1; X (time, batch, inputs), states (directions, batch,
# hidden) and Y (time, directions, batch, hidden) for layout 0.
_INPUTS = (0, 5, 6)
_SWAP = [1, 0, 2]
_SEQUENCE = [2, 0, 1, 3]


def time_first(model: onnx.ModelProto) -> bool:
    """Rewrite every recurrent node of layout 1, in place, inner graphs too; tell if there was one."""
    taken: set[str] = set()
    for graph in all_graphs(model.graph):
        found = [node for node in graph.node if _batch_first(node)]
        if not found:
            continue
        taken = taken or taken_names(model)
        nodes: list[onnx.NodeProto] = []
        for node in graph.node:
            nodes.extend(_turned(node, taken) if _batch_first(node) else [node])
        del graph.node[:]
        graph.node.extend(nodes)
    return bool(taken)


def _batch_first(node: onnx.NodeProto) -> bool:
    return (
        node.op_type in _RECURRENT
        and node.domain in ("", "ai.onnx")
        and attributes(node).get("layout", 0) == 1
    )


def _turned(node: onnx.NodeProto, taken: set[str]) -> list[onnx.NodeProto]:
    turned = onnx.NodeProto()
    turned.CopyFrom(node)
    turned.name = node.name or next((output for output in node.output if output), "")
    for item in [item for item in turned.attribute if item.name == "layout"]:
        turned.attribute.remove(item)
    before, after = [], []
    for place in _INPUTS:
        given = node.input[place] if place < len(node.input) else ""
        if given:
            turned.input[place] = fresh_name(taken, f"{given}:time_first")
            before.append(helper.make_node("Transpose", [given], [turned.input[place]], perm=_SWAP))
    for place, output in enumerate(node.output):
        if output:
            turned.output[place] = fresh_name(taken, f"{output}:time_first")
            order = _SWAP if place else _SEQUENCE
            after.append(
                helper.make_node("Transpose", [turned.output[place]], [output], perm=order)
            )
    return [*before, turned, *after]
