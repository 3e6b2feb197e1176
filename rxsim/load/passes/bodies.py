"""Pass: make bodies of If, Loop and Scan plain where they hold products, so that these can be mapped.

Every tensor inside gets a name that the whole model has once, and what depends on constants alone
moves to the main graph, where it is folded like all else: the weights of a body's products are then
initializers. Bodies without a product stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx
from onnx import helper

from rxsim.onnx_graph import (
    RANDOM,
    all_nodes,
    defined_names,
    fresh_name,
    inner_graphs,
    taken_names,
)
from rxsim.operators import operator_of


def lift_constants(model: onnx.ModelProto) -> None:
    """Prepare the bodies that hold a product, in place."""
    holders = [node for node in model.graph.node if _holds_product(node)]
    if not holders:
        return
    known = {tensor.name for tensor in model.graph.initializer}
    lift = _Lifting(known, taken_names(model), defined_names(model.graph))
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if _holds_product(node):
            for inner in inner_graphs(node):
                lift.graph(inner, {})
            nodes.extend(lift.nodes)
            model.graph.initializer.extend(lift.tensors)
            lift.nodes, lift.tensors = [], []
        elif constant_only(node, known):
            known.update(node.output)
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def nodes_looked_at(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of the main graph and of the bodies that hold a product."""
    for node in model.graph.node:
        yield node
        if _holds_product(node):
            for graph in inner_graphs(node):
                yield from all_nodes(graph)


def name_inner_nodes(model: onnx.ModelProto) -> None:
    """Give every node of bodies that hold a product a name that the whole model has once."""
    taken = {node.name for node in model.graph.node}
    for holder in model.graph.node:
        if not _holds_product(holder):
            continue
        for graph in inner_graphs(holder):
            for node in all_nodes(graph):
                output = next((name for name in node.output if name), node.op_type)
                node.name = fresh_name(taken, node.name or output)


def _holds_product(node: onnx.NodeProto) -> bool:
    return any(
        operator_of(inner) is not None for graph in inner_graphs(node) for inner in all_nodes(graph)
    )


def constant_only(node: onnx.NodeProto, known: set[str]) -> bool:
    """Tell whether a node depends on constants alone and gives the same each time."""
    if inner_graphs(node) or node.op_type in RANDOM:
        return False
    return all(not name or name in known for name in node.input)


class _Lifting:
    """What leaves the bodies of a node.

    Attributes:
        nodes: that depend on constants alone.
        tensors: initializers of bodies.
    """

    def __init__(self, known: set[str], taken: set[str], used: set[str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self._known = known
        self._taken = taken
        self._used = used

    def graph(self, graph: onnx.GraphProto, outer: Mapping[str, str]) -> None:
        """Rename what a body defines, and lift its constants.

        Args:
            graph: the body; changed in place.
            outer: new names of the tensors of the bodies around it.
        """
        names = dict(outer)
        for value in graph.input:
            names[value.name] = self._unique(value.name)
            value.name = names[value.name]
        for tensor in graph.initializer:
            names[tensor.name] = self._unique(tensor.name)
            tensor.name = names[tensor.name]
            self._known.add(tensor.name)
            self.tensors.append(tensor)
        del graph.initializer[:]
        del graph.value_info[:]
        kept: list[onnx.NodeProto] = []
        for node in graph.node:
            for place, name in enumerate(node.input):
                node.input[place] = names.get(name, name)
            for place, name in enumerate(node.output):
                if name:
                    names[name] = self._unique(name)
                    node.output[place] = names[name]
            for inner in inner_graphs(node):
                self.graph(inner, names)
            if constant_only(node, self._known):
                self._known.update(node.output)
                self.nodes.append(node)
            else:
                kept.append(node)
        made = {value.name for value in graph.input}.union(*(node.output for node in kept))
        for value in graph.output:
            value.name = names.get(value.name, value.name)
            if value.name not in made:  # a body gives out what is its own
                given = fresh_name(self._taken, f"{value.name}:given")
                kept.append(helper.make_node("Identity", [value.name], [given]))
                value.name = given
        del graph.node[:]
        graph.node.extend(kept)

    def _unique(self, name: str) -> str:
        """Keep a name the first time that it comes up."""
        chosen = fresh_name(self._taken, name) if name in self._used else name
        self._used.add(chosen)
        return chosen
