"""Pass: what a Loop or Scan hands from turn to turn and never changes is taken from outside instead.

Exporters of Keras give the weights of a recurrent cell to a Loop as states. A state that the body
returns as it came is the tensor that it started as, so the body may name that tensor, and its
products have constant weights. Only nodes are changed in whose body such a state meets a product.
"""

from __future__ import annotations

import onnx
from onnx import helper

from rxsim.load.passes.bodies import constant_only
from rxsim.onnx_graph import all_nodes, attributes, inner_graphs
from rxsim.operators import operator_of


def take_out_carried(model: onnx.ModelProto) -> None:
    """Rewrite Loops and Scans of the main graph, in place."""
    known = {tensor.name for tensor in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if constant_only(node, known):
            known.update(node.output)
        nodes.append(node)
        if node.op_type in ("Loop", "Scan") and node.domain in ("", "ai.onnx"):
            nodes.extend(_rewritten(node, known))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _rewritten(node: onnx.NodeProto, known: set[str]) -> list[onnx.NodeProto]:
    """Take states out of a node, in place; return what stands for them behind it."""
    body = next(iter(inner_graphs(node)), None)
    # A Loop's body has a count and a condition before its states, and returns a condition.
    before, returned = (2, 1) if node.op_type == "Loop" else (0, 0)
    scanned = attributes(node).get("num_scan_inputs", 0)
    states = range(len(node.input) - before - scanned)
    if (
        body is None
        or len(body.input) != len(node.input)
        or len(body.output) < returned + len(states)
    ):
        return []  # damaged: told by the checks that follow
    inside = {name for inner in all_nodes(body) for name in inner.output}
    inside |= {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
    behind: list[onnx.NodeProto] = []
    for place in reversed(states):
        given, held = node.input[before + place], body.input[before + place].name
        results = [value.name for value in body.output]
        passed = results.pop(returned + place)
        if len(results) == returned or held in results:  # the node's only output, or one of another
            continue
        if _origin(body, passed) != held or not _meets_product(body, held):
            continue
        if given not in known or given in inside:
            continue
        for inner in all_nodes(body):
            for item, name in enumerate(inner.input):
                if name == held:
                    inner.input[item] = given
        del node.input[before + place], body.input[before + place], body.output[returned + place]
        if place < len(node.output):
            if node.output[place]:
                behind.append(helper.make_node("Identity", [given], [node.output[place]]))
            del node.output[place]
    return behind


def _origin(body: onnx.GraphProto, name: str) -> str:
    """Follow a tensor of a body back through Identity."""
    made_by = {output: node for node in body.node for output in node.output}
    for _ in body.node:  # a damaged body may hold a circle
        node = made_by.get(name)
        if node is None or node.op_type != "Identity" or not node.input:
            break
        name = node.input[0]
    return name


def _meets_product(body: onnx.GraphProto, name: str) -> bool:
    return any(name in inner.input and operator_of(inner) is not None for inner in all_nodes(body))
