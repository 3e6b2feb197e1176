"""Which tensors move between the places of a network's operators: its layers' arrays, chip by chip.

A place is a number, of a tile or a chip. A layer takes its input tensor to every place that holds a
part of its arrays; its outputs lie where its first unit is. A digital operator runs where the fewest
bits have to be brought, at the last of equal places. A tensor is sent to a place once, whatever needs
it there. Source: docs/concepts/cost.md, "Chips".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx

from rxsim.load import Network
from rxsim.load.tensor_sizes import TensorSize
from rxsim.onnx_graph import attributes, constants, inner_graphs


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlaces:
    """Where a layer lies.

    Attributes:
        name: the layer's.
        node: name of its node.
        input: the tensor that drives its wordlines.
        at: the places that hold a part of its arrays.
        home: where its outputs lie.
        bits: of an element of its input and output.
    """

    name: str
    node: str
    input: str
    at: frozenset[int]
    home: int
    bits: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """A tensor that moves.

    Attributes:
        tensor: its name.
        target: the place that it is brought to.
        bits: for one inference; None: its size is not known.
        layer: that needs it there; None: a digital operator does.
    """

    tensor: str
    target: int
    bits: int | None
    layer: str | None


def transfers(
    network: Network, layers: Iterable[LayerPlaces], sizes: Mapping[str, TensorSize]
) -> tuple[Transfer, ...]:
    """List the tensors that move between places for one inference.

    The network's inputs arrive at place 0. Constants are everywhere. Both branches of an If count.

    Args:
        network: the network.
        layers: where its layers lie.
        sizes: of tensors per network input.
    """
    flow = _Flow(network.model, list(layers), sizes)
    flow.visit(network.model.graph)
    return tuple(flow.sent)


@dataclass(slots=True)
class _Tensor:
    """Where a tensor was made and where it is by now, its element's bits, its elements if known."""

    home: int
    at: set[int]
    bits: int
    elements: int | None


@dataclass(slots=True)
class _Flow:
    """Goes through a graph in the order of its nodes."""

    model: onnx.ModelProto
    layers: list[LayerPlaces]
    sizes: Mapping[str, TensorSize]
    sent: list[Transfer] = field(default_factory=list)
    tensors: dict[str, _Tensor] = field(default_factory=dict)
    by_node: dict[str, list[LayerPlaces]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = constants(self.model)
        widest = max((layer.bits for layer in self.layers), default=0)
        for layer in self.layers:
            self.by_node.setdefault(layer.node, []).append(layer)
        for value in self.model.graph.input:
            if value.name not in known:
                self._make(value.name, 0, widest)

    def visit(self, graph: onnx.GraphProto) -> None:
        """Go through the nodes of a graph."""
        for node in graph.node:
            body = _body_of(node)
            if node.name in self.by_node:
                self._layers(node, self.by_node[node.name])
            elif body is not None:
                self._loop(node, body)
            elif node.op_type == "If":
                self._branches(node, inner_graphs(node))
            else:
                self._digital(node)

    def _make(self, name: str, home: int, bits: int) -> None:
        if name:
            size = self.sizes.get(name)
            self.tensors[name] = _Tensor(
                home, {home}, bits, None if size is None else size.elements
            )

    def _send(self, name: str, target: int, layer: LayerPlaces | None = None) -> None:
        tensor = self.tensors.get(name)
        if tensor is None or target in tensor.at:
            return
        tensor.at.add(target)
        width = tensor.bits if layer is None else layer.bits
        bits = None if tensor.elements is None else tensor.elements * width
        self.sent.append(Transfer(name, target, bits, None if layer is None else layer.name))

    def _layers(self, node: onnx.NodeProto, layers: Sequence[LayerPlaces]) -> None:
        for layer in layers:
            for target in sorted(layer.at):
                self._send(layer.input, target, layer)
        driving = {layer.input for layer in layers}
        for name in node.input:
            if name not in driving:
                self._send(name, layers[-1].home)
        for name in node.output:
            self._make(name, layers[-1].home, layers[-1].bits)

    def _digital(self, node: onnx.NodeProto) -> None:
        given = [name for name in dict.fromkeys(node.input) if name in self.tensors]
        if not given:
            return
        home = self._cheapest([self.tensors[name] for name in given])
        for name in given:
            self._send(name, home)
        bits = max(self.tensors[name].bits for name in given)
        for name in node.output:
            self._make(name, home, bits)

    def _cheapest(self, given: Sequence[_Tensor]) -> int:
        """Return the place to which the fewest bits have to be brought, the last of equal ones."""

        def brought(place: int) -> tuple[int, int]:
            missing = (each for each in given if place not in each.at)
            return sum((each.elements or 0) * each.bits for each in missing), -place

        return min({place for each in given for place in each.at}, key=brought)

    def _alias(self, name: str, other: str) -> None:
        """Let a tensor be another one under a second name, or a part of it: it moves once."""
        tensor, size = self.tensors.get(other), self.sizes.get(name)
        if tensor is not None and name:
            elements = tensor.elements if size is None else size.elements
            self.tensors[name] = replace(tensor, elements=elements)

    def _loop(self, node: onnx.NodeProto, body: _Body) -> None:
        """Go through a body twice: states come from where the step before has left them."""
        for name in (*body.given, *body.states):
            self.tensors.pop(name, None)
        for name, outer in (*body.given.items(), *zip(body.states, body.first, strict=True)):
            self._alias(name, outer)
        before, sent = {name: set(each.at) for name, each in self.tensors.items()}, len(self.sent)
        self.visit(body.graph)
        left = [self.tensors.get(name) for name in body.results]
        del self.sent[sent:]
        for name, places in before.items():
            self.tensors[name].at.intersection_update(places)
        for state, first, tensor in zip(body.states, body.first, left, strict=True):
            if tensor is not None:
                self._send(first, tensor.home)
                self._make(state, tensor.home, tensor.bits)
        self.visit(body.graph)
        for outer, inner in zip(node.output, (*body.results, *body.gathered), strict=False):
            self._alias(outer, inner)

    def _branches(self, node: onnx.NodeProto, bodies: Sequence[onnx.GraphProto]) -> None:
        for body in bodies:
            self.visit(body)
            for name, inner in zip(node.output, body.output, strict=False):
                self._alias(name, inner.name)


@dataclass(frozen=True, slots=True)
class _Body:
    """The body of a loop.

    Attributes:
        graph: the body.
        given: its inputs by their names outside: the same tensors, slice by slice.
        states: its inputs that the step before makes.
        first: for each of them the tensor outside that the first step takes.
        results: for each of them the output that the next step takes.
        gathered: its outputs that are put together step by step.
    """

    graph: onnx.GraphProto
    given: Mapping[str, str]
    states: Sequence[str]
    first: Sequence[str]
    results: Sequence[str]
    gathered: Sequence[str]


def _body_of(node: onnx.NodeProto) -> _Body | None:
    """Return the body of a Scan or a Loop; None of another node."""
    if node.op_type not in ("Scan", "Loop") or not inner_graphs(node):
        return None
    body = inner_graphs(node)[0]
    inputs, outputs = [each.name for each in body.input], [each.name for each in body.output]
    if node.op_type == "Scan":
        count = len(node.input) - int(attributes(node)["num_scan_inputs"])
        given = dict(zip(inputs[count:], node.input[count:], strict=False))
        states, first = inputs[:count], list(node.input[:count])
    else:  # trip count and condition come first
        count, outputs = len(node.input) - 2, outputs[1:]
        given = {}
        states, first = inputs[2:], list(node.input[2:])
    return _Body(body, given, states, first, outputs[:count], outputs[count:])
