"""Pass: compute once whatever depends on constants alone, so that weights are initializers.

onnxruntime evaluates the constant part of the graph. Nodes with subgraphs and random operators are
left alone. Names of the remaining nodes and tensors are unchanged; new nodes have no name yet.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import helper

from rxsim.load.runtime import open_session
from rxsim.onnx_graph import (
    RANDOM,
    constants,
    fresh_name,
    has_subgraph,
    set_constant,
    taken_names,
    use_counts,
)
from rxsim.spilled import Spill, constants_spill, put_aside


def fold_constants(model: onnx.ModelProto) -> None:
    """Replace nodes that depend on constants alone by their values, in place.

    What onnxruntime can't compute, or numpy can't hold (such as sequences), stays as it is.
    """
    known = set(constants(model))
    constant_nodes, other_nodes = [], []
    for node in model.graph.node:
        depends_on_constants = all(not item or item in known for item in node.input)
        if depends_on_constants and not has_subgraph(node) and node.op_type not in RANDOM:
            constant_nodes.append(node)
            known.update(node.output)
        else:
            other_nodes.append(node)
    made = {output for node in constant_nodes for output in node.output if output}
    used = use_counts(model, other_nodes)
    wanted = [tensor for tensor in made if used[tensor]]
    values = _evaluate_parts(model, constant_nodes, sorted(wanted))
    kept = _behind(constant_nodes, set(wanted) - set(values), set(values))
    remaining = {output for node in kept for output in node.output}
    outputs = {value.name for value in model.graph.output}
    identities = []
    taken = taken_names(model)
    for tensor, value in values.items():
        if tensor in remaining:
            continue
        if tensor not in outputs:
            set_constant(model, tensor, value)
            continue
        inner = fresh_name(taken, f"{tensor}:constant")
        set_constant(model, inner, value)
        identities.append(helper.make_node("Identity", [inner], [tensor]))
        for node in other_nodes:
            for place, item in enumerate(node.input):
                if item == tensor:
                    node.input[place] = inner
    del model.graph.node[:]
    model.graph.node.extend([*identities, *kept, *other_nodes])


def _behind(
    nodes: list[onnx.NodeProto], tensors: set[str], values: Collection[str] = ()
) -> list[onnx.NodeProto]:
    """Return the nodes that some tensors depend on, in their order, where `values` are known."""
    needed, chain = set(tensors), []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            chain.append(node)
            needed.update(item for item in node.input if item and item not in values)
    return chain[::-1]


def _evaluate_parts(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], wanted: list[str]
) -> dict[str, np.ndarray]:
    """Return the wanted tensors by name: all at once, or where that fails those that can be had."""
    if not wanted:
        return {}
    if constants_spill() is not None:
        return _evaluate_in_turn(model, nodes, wanted)
    values = _evaluate(model, _behind(nodes, set(wanted)), wanted)
    if len(values) < len(wanted) and len(wanted) > 1:
        for tensor in wanted:
            values.update(_evaluate(model, _behind(nodes, {tensor}), [tensor]))
    return values


def _evaluate_in_turn(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], wanted: list[str]
) -> dict[str, np.ndarray]:
    """Return those of the wanted tensors that can be had, never two of them in memory."""
    spill = Spill()
    values = {}
    for tensor in wanted:
        for name, value in _evaluate(model, _behind(nodes, {tensor}), [tensor]).items():
            (values[name],) = put_aside([value], spill)
    return values


def _evaluate(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], wanted: list[str]
) -> dict[str, np.ndarray]:
    """Run the given nodes alone; return those of the wanted tensors that come out as arrays."""
    read = {item for node in nodes for item in node.input}
    graph = helper.make_graph(
        nodes,
        "constants",
        inputs=[],
        outputs=[onnx.ValueInfoProto(name=output) for output in wanted],
        initializer=[tensor for tensor in model.graph.initializer if tensor.name in read],
    )
    part = helper.make_model(
        graph,
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
        functions=model.functions,
    )
    try:
        session = open_session(part)
        values = session.run(wanted, {})
    except Exception:  # onnxruntime raises many types
        return {}
    return {
        name: value
        for name, value in zip(wanted, values, strict=True)
        if isinstance(value, np.ndarray)
    }
