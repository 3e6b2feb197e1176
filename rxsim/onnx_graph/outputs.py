"""Make inner tensors outputs of a model, those of bodies included.

A tensor in the body of a Loop or a Scan comes out with the steps joined to its first axis, as if the
steps were a larger batch. In a branch of If it comes out empty, of shape (0,), where another branch is
taken. Both come as float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rxsim.onnx_graph.names import fresh_name, taken_names
from rxsim.onnx_graph.scopes import defined_names, inner_graphs


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Return a copy of a model that also returns the named inner tensors."""
    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    present = {value.name for value in extended.graph.output}
    wanted = [name for name in dict.fromkeys(names) if name not in present]
    outer = defined_names(extended.graph)
    inside = [name for name in wanted if name not in outer]
    if inside:
        _bring_out(extended.graph, inside, taken_names(extended))
    for name in wanted:
        extended.graph.output.append(onnx.ValueInfoProto(name=name))
    return extended


def _bring_out(graph: onnx.GraphProto, names: Sequence[str], taken: set[str]) -> None:
    """Make tensors from inside a graph's nodes tensors of the graph, under their names."""
    missing = set(names)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        for place, inner in enumerate(inner_graphs(node)):
            here = [name for name in names if name in missing and name in defined_names(inner)]
            deeper = [
                name
                for name in names
                if name in missing and name not in here and _holds(inner, name)
            ]
            if deeper:
                _bring_out(inner, deeper, taken)
            for name in [*here, *deeper]:
                missing.discard(name)
                if node.op_type == "If":
                    _give_out(node, place, name, name, taken)
                    continue
                steps = fresh_name(taken, f"{name}:steps")
                _give_out(node, place, name, steps, taken)
                nodes.extend(_joined(steps, name, taken))
    del graph.node[:]
    graph.node.extend(nodes)


def _holds(graph: onnx.GraphProto, name: str) -> bool:
    """Tell whether a tensor is made inside a graph's nodes."""
    return any(
        name in defined_names(inner) or _holds(inner, name)
        for node in graph.node
        for inner in inner_graphs(node)
    )


def _joined(steps: str, name: str, taken: set[str]) -> list[onnx.NodeProto]:
    """Join the steps, the first axis, to the axis behind them."""
    first, rest, joined, shape = (
        fresh_name(taken, f"{name}:{part}") for part in ("first", "rest", "joined", "shape")
    )
    return [
        helper.make_node("Shape", [steps], [first], end=2),
        helper.make_node("Shape", [steps], [rest], start=2),
        helper.make_node("ReduceProd", [first], [joined], keepdims=1),
        helper.make_node("Concat", [joined, rest], [shape], axis=0),
        helper.make_node("Reshape", [steps, shape], [name], allowzero=1),
    ]


def _give_out(node: onnx.NodeProto, place: int, name: str, output: str, taken: set[str]) -> None:
    """Add a tensor of one of a node's bodies to the node's outputs.

    Args:
        node: If, Loop or Scan.
        place: which of its bodies.
        name: of the tensor; inside it gets another one.
        output: name of the new output.
        taken: names in use; extended.
    """
    bodies = inner_graphs(node)
    inside = fresh_name(taken, f"{name}:inside")
    _rename(bodies[place], name, inside)
    for number, body in enumerate(bodies):
        given = fresh_name(taken, f"{name}:given")
        if number == place:
            to_float = helper.make_node("Cast", [inside], [given], to=onnx.TensorProto.FLOAT)
            body.node.append(to_float)
            body.output.append(onnx.ValueInfoProto(name=given))
            continue
        nothing = numpy_helper.from_array(np.zeros(0, dtype=np.float32))
        body.node.append(helper.make_node("Constant", [], [given], value=nothing))
        body.output.append(onnx.ValueInfoProto(name=given))
    # A Loop's body gives out its condition first, which the node does not.
    total = len(bodies[0].output) - (1 if node.op_type == "Loop" else 0)
    unread = [fresh_name(taken, f"{name}:unread") for _ in range(total - 1 - len(node.output))]
    node.output.extend([*unread, output])
    for attribute in node.attribute:
        if attribute.name in ("scan_output_axes", "scan_output_directions"):
            attribute.ints.append(0)


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Rename a tensor in a graph and wherever its inner graphs read it."""
    values: Iterable[onnx.ValueInfoProto] = [*graph.input, *graph.output, *graph.value_info]
    for value in values:
        if value.name == old:
            value.name = new
    for tensor in graph.initializer:
        if tensor.name == old:
            tensor.name = new
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new
        for inner in inner_graphs(node):
            _rename(inner, old, new)
