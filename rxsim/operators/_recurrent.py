"""Recurrent operators: a product over the whole sequence, and one inside a Scan that steps along it.

The matrices of input and recurrence lie on arrays of their own, the gates side by side as columns
(docs/concepts/model.md section 2). Everything else of a step is digital: bias, gates, activations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting, Shape, attributes, values_of
from rxsim.operators import Constants
from rxsim.operators._recurrent_functions import read_activations
from rxsim.operators._sequence import Direction, SequenceNodes, Step, optional
from rxsim.operators._shared import dims_of, why_not_weights
from rxsim.operators._without_products import WithoutProducts


class Recurrent(WithoutProducts, ABC):
    """An operator that steps along a sequence.

    Attributes:
        gates: number of gates.
        states: what a step hands on, 1 (hidden) or 2 (hidden and cell).
        usual: activations of a direction where a node names none.
        rows_axis: axis of the weights along which a matrix' rows lie; the columns lie on the other one.
    """

    gates: ClassVar[int]
    states: ClassVar[int]
    usual: ClassVar[tuple[str, ...]]
    rows_axis: ClassVar[int] = 2

    @abstractmethod
    def step(
        self, step: Step, driven: str, states: list[str], given: Mapping[str, object]
    ) -> list[str]:
        """Write a step, see `Cell`."""

    def bias_outside(self, direction: Direction, given: Mapping[str, object]) -> np.ndarray:
        """Return what is added to the input's product, for the whole sequence at once."""
        return np.asarray(direction.bias.sum(axis=0))

    def matrices(self, node: onnx.NodeProto, constants: Constants) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights of input and recurrence, float32 (directions, rows, columns)."""
        weight, recurrent = (
            values_of(constants[node.input[place]]).astype(np.float32) for place in (1, 2)
        )
        return weight.transpose(0, 2, 1), recurrent.transpose(0, 2, 1)

    def data_type(self, node: onnx.NodeProto, constants: Constants) -> int:
        """Return the type of a node's tensors, as ONNX counts types."""
        return int(constants[node.input[1]].data_type)

    def drive(self, build: GraphBuilder, source: str, part: str) -> str:
        """Write what becomes of a tensor before it drives a product: nothing."""
        return source

    def why_not_values(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Say why constant weights can't be mapped; empty where they can."""
        return next(filter(None, (why_not_weights(constants[node.input[p]]) for p in (1, 2))), "")

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Write products and Scan where weights are constants."""
        constants = graph.constants
        if graph.repeated or self.damage(node, constants) or self._unfit(node, constants):
            return [node]
        # Nodes of inner graphs may have no name.
        name = node.name or next((output for output in node.output if output), node.op_type)
        directions = self._directions(node, name, graph)
        return SequenceNodes(self, node, name, self.data_type(node, constants), graph).write(
            directions
        )

    def damage(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Find constants whose shapes do not go together."""
        weight, recurrent = (dims_of(constants.get(node.input[place])) for place in (1, 2))
        if weight is None or recurrent is None:
            return ""
        rows, directions = self.rows_axis, 2 if _direction(node) == b"bidirectional" else 1
        inputs, hidden = (dims[rows] if len(dims) == 3 else 0 for dims in (weight, recurrent))
        columns = self.gates * hidden
        found = {"W": weight, "R": recurrent}
        expected: dict[str, tuple[int, ...]] = {}
        for name, length in (("W", inputs), ("R", hidden)):
            pair = (columns, length) if rows == 2 else (length, columns)
            expected[name] = (directions, *pair)
        for name, length in (("B", 2 * columns), ("P", 3 * hidden)):
            shape = dims_of(constants.get(optional(node, name)))
            if shape is not None:
                found[name], expected[name] = shape, (directions, length)
        for name, shape in expected.items():
            if found[name] != shape:
                return (
                    f"found its {name} of shape {list(found[name] or ())}, expected {list(shape)}"
                )
        stated = attributes(node).get("hidden_size", hidden)
        return "" if stated == hidden else f"found hidden_size {stated}, expected {hidden} of its R"

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Say why it is still there: its steps were written down where that can be done."""
        return self._unfit(node, constants) or "it stands in the body of a loop"

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the two products of every step; what is element by element does not count."""
        data, recurrent = shapes.get(node.input[0]), shapes.get(node.input[2])
        if data is None or recurrent is None or len(data) != 3 or len(recurrent) != 3:
            return None
        lengths = [*data, recurrent[0], recurrent[self.rows_axis]]
        if None in lengths:
            return None
        steps, batch, inputs, directions, hidden = (int(length or 0) for length in lengths)
        return steps * batch * directions * self.gates * hidden * (inputs + hidden)

    def _unfit(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Say why a node can't be rewritten, wherever it stands; empty where it can."""
        for place in (1, 2):
            if node.input[place] not in constants:
                return "its weights are not constant"
        problem = self.why_not_values(node, constants)
        if problem:
            return problem
        for name in ("B", "P"):
            if optional(node, name) and optional(node, name) not in constants:
                return f"its {name} is not constant"
        given = attributes(node)
        if given.get("layout", 0):
            return "its layout is 1"
        if read_activations(given, self.usual) is None:
            return "its activations are not ONNX's"
        return ""

    def _directions(self, node: onnx.NodeProto, name: str, graph: Rewriting) -> list[Direction]:
        weight, recurrent = self.matrices(node, graph.constants)
        bias, peepholes = (_value(graph, optional(node, part)) for part in ("B", "P"))
        if bias is None:
            bias = np.zeros((len(weight), 2 * weight.shape[2]), dtype=np.float32)
        functions = read_activations(attributes(node), self.usual) or []
        count, way = len(self.usual), _direction(node)
        both = (f"{name}.forward", f"{name}.reverse")
        return [
            Direction(
                name=part,
                place=place,
                reverse=way == b"reverse" or place == 1,
                weight=weight[place],
                recurrent=recurrent[place],
                bias=bias[place].reshape(2, -1),
                peepholes=None if peepholes is None else peepholes[place].reshape(3, -1),
                activations=tuple(functions[place * count : (place + 1) * count]),
            )
            for place, part in enumerate(both if way == b"bidirectional" else (name,))
        ]


def _direction(node: onnx.NodeProto) -> bytes:
    return bytes(attributes(node).get("direction", b"forward"))


def _value(graph: Rewriting, name: str) -> np.ndarray | None:
    """Return a constant as float32; None where it is left out."""
    value = graph.value(name) if name else None
    return None if value is None else value.astype(np.float32)
