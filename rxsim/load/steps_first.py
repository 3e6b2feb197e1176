"""Which inputs hold the steps of a sequence along their first axis, as recurrent nodes read them."""

from __future__ import annotations

import onnx

from rxsim.onnx_graph import attributes

# Source: ONNX's LSTM, GRU and RNN: the input X (steps, batch, values) for layout 0, and (batch, steps,
# values) for layout 1; com.microsoft's DynamicQuantizeLSTM takes the former.
_RECURRENT = ("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM")
_HANDED_ON = ("Identity", "Cast")


def steps_first(model: onnx.ModelProto) -> dict[str, str]:
    """Return the operators that go along the first axis of an input, by the input's name.

    Only inputs of three axes that reach the node as they are count, or through Identity and Cast.
    """
    stands_for = {value.name: value.name for value in model.graph.input}
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in model.graph.input
        if value.type.HasField("tensor_type")
    }
    # Source: before operator set 9 Scan took lengths first, and its inputs batch first.
    old = any(item.domain in ("", "ai.onnx") and item.version < 9 for item in model.opset_import)
    found: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type in _HANDED_ON and node.input[0] in stands_for:
            stands_for[node.output[0]] = stands_for[node.input[0]]
            continue
        for item in [] if old and node.op_type == "Scan" else _stepped(node):
            name = stands_for.get(item)
            if name is not None and ranks.get(name) == 3:
                found.setdefault(name, node.op_type)
    return found


def _stepped(node: onnx.NodeProto) -> list[str]:
    """Return what a node goes through step by step along the first axis."""
    stated = attributes(node)
    if node.op_type in _RECURRENT:
        return list(node.input[:1]) if stated.get("layout", 0) == 0 else []
    if node.op_type != "Scan" or "num_scan_inputs" not in stated:
        return []
    count = stated["num_scan_inputs"]
    axes = stated.get("scan_input_axes") or [0] * count
    return [item for item, axis in zip(node.input[-count:], axes, strict=True) if axis == 0]
