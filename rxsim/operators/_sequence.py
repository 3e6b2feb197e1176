"""The nodes of a recurrent layer: a product over the whole sequence, and a Scan that steps along it.

All of it is float32: onnxruntime computes recurrent layers so, whatever the type of their tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import onnx
from onnx import TensorProto, helper

from rxsim.onnx_graph import GraphBuilder, Rewriting, attributes
from rxsim.operators import set_user_op, user_op
from rxsim.operators._recurrent_functions import Activation

_OPTIONAL = {"B": 3, "sequence_lens": 4, "initial_h": 5, "initial_c": 6, "P": 7}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Direction:
    """One direction of a recurrent node.

    Attributes:
        name: begins the names of its products.
        place: on the axis of directions.
        reverse: whether it begins at the sequence's end.
        weight: float32 (inputs, gates * hidden), for the input.
        recurrent: float32 (hidden, gates * hidden), for the hidden state.
        bias: float32 (2, gates * hidden): added to the product with either.
        peepholes: float32 (3, hidden); None for none.
        activations: its functions f, g ..
    """

    name: str
    place: int
    reverse: bool
    weight: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray
    peepholes: np.ndarray | None
    activations: tuple[Activation, ...]

    @property
    def hidden(self) -> int:
        """Length of the hidden state."""
        return int(self.recurrent.shape[0])


class Cell(Protocol):
    """What tells one kind of recurrent layer from another."""

    @property
    def gates(self) -> int:
        """Number of gates."""

    @property
    def states(self) -> int:
        """What a step hands on: 1 (hidden) or 2 (hidden and cell)."""

    def step(
        self, step: Step, driven: str, states: list[str], given: Mapping[str, object]
    ) -> list[str]:
        """Write a step.

        Args:
            step: takes the nodes.
            driven: what the input contributes to the gates, (batch, gates * hidden).
            states: the states before it, (batch, hidden) each, the hidden one first.
            given: attributes of the node.

        Returns:
            The states behind it.
        """

    def bias_outside(self, direction: Direction, given: Mapping[str, object]) -> np.ndarray:
        """Return what is added to the input's product, for the whole sequence at once."""

    def drive(self, build: GraphBuilder, source: str, part: str) -> str:
        """Write what becomes of a tensor before it drives a product."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Step:
    """What writes the nodes of a step.

    Attributes:
        build: takes the nodes.
        graph: the model.
        direction: weights and functions.
        clip: bound of what goes into an activation; None for none.
        drive: writes what becomes of a tensor before it drives a product.
    """

    build: GraphBuilder
    graph: Rewriting
    direction: Direction
    clip: float | None
    drive: Callable[[GraphBuilder, str, str], str]

    def product(self, source: str, matrix: np.ndarray, part: str) -> str:
        """Multiply a tensor by a matrix: a layer, named by the direction and the part."""
        source = self.drive(self.build, source, part)
        return add_product(self.build, self.graph, source, matrix, f"{self.direction.name}.{part}")

    def add(self, op: str, inputs: list[str], part: str) -> str:
        """Write a node."""
        return self.build.add(op, inputs, part)

    def split(self, source: str, gates: int) -> list[str]:
        """Cut gates apart."""
        if gates == 1:
            return [source]
        build = self.build
        names = [build.name("gate") for _ in range(gates)]
        widths = np.full(gates, self.direction.hidden, dtype=np.int64)
        given = [source, build.constant("gate_lengths", widths)]
        build.nodes.append(helper.make_node("Split", given, names, build.name("gates"), axis=-1))
        return names

    def activate(self, place: int, source: str, part: str, clipped: bool = True) -> str:
        """Apply an activation of the direction, behind the clip."""
        if clipped and self.clip is not None:
            bounds = [self.build.scalar("clip", value) for value in (-self.clip, self.clip)]
            source = self.add("Clip", [source, *bounds], f"{part}_clipped")
        return self.direction.activations[place].add(self.build, source, part)

    def rest(self, gate: str, part: str) -> str:
        """Subtract a gate from 1."""
        return self.add("Sub", [self.build.scalar("one", 1.0), gate], part)


class SequenceNodes:
    """Writes what replaces a node."""

    def __init__(
        self, cell: Cell, node: onnx.NodeProto, name: str, data_type: int, graph: Rewriting
    ) -> None:
        self._cell, self._node, self._name, self._graph = cell, node, name, graph
        self._data_type = data_type
        self._given = attributes(node)
        self._build = graph.builder(name)

    def write(self, directions: Sequence[Direction]) -> list[onnx.NodeProto]:
        """Return the nodes that replace the node."""
        build, node = self._build, self._node
        source = self._float(node.input[0], "input")
        lengths = optional(node, "sequence_lens")
        states = self._states(source, directions[0].hidden)
        mask = self._mask(source, lengths) if lengths else ""
        driven = self._cell.drive(build, source, "input")
        results = [self._along(direction, driven, mask, states) for direction in directions]
        for place, output in enumerate(node.output):
            if output:
                self._give([result[place] for result in results], place, lengths, output)
        return self._graph.finish(build)

    def _float(self, name: str, part: str) -> str:
        """Cast what is not float32: as onnxruntime does, whose kernels know float32 alone."""
        if self._data_type == TensorProto.FLOAT:
            return name
        return self._build.add("Cast", [name], part, to=TensorProto.FLOAT)

    def _states(self, source: str, hidden: int) -> list[str]:
        """Return the states before the first step: (directions, batch, hidden), or zeros of one."""
        build, zeros = self._build, ""
        states = []
        for name in ("initial_h", "initial_c")[: self._cell.states]:
            given = optional(self._node, name)
            if not given and not zeros:
                batch = _lengths(build, source, 1, "batch")
                width = build.constant("hidden", np.asarray([hidden], dtype=np.int64))
                shape = build.add("Concat", [batch, width], "state_shape", axis=0)
                zeros = build.add("Expand", [build.scalar("zero", 0.0), shape], "zeros")
            states.append(self._float(given, name) if given else zeros)
        return states

    def _mask(self, source: str, lengths: str) -> str:
        """Return which steps lie within each sequence: bool (steps, batch, 1)."""
        build = self._build
        steps = build.add("Squeeze", [_lengths(build, source, 0, "steps")], "n_steps")
        first, stride = self._number("first_step", 0), self._number("stride", 1)
        numbers = build.add("Range", [first, steps, stride], "step_numbers")
        axes = build.constant("step_axes", np.asarray([1, 2], dtype=np.int64))
        numbers = build.add("Unsqueeze", [numbers, axes], "step_column")
        whole = build.add("Cast", [lengths], "lengths", to=TensorProto.INT64)
        last = build.constant("length_axis", np.asarray([1], dtype=np.int64))
        return build.add(
            "Less", [numbers, build.add("Unsqueeze", [whole, last], "length_row")], "within"
        )

    def _along(self, direction: Direction, source: str, mask: str, initial: list[str]) -> list[str]:
        """Write a direction; return its sequence of hidden states and its last states."""
        build, cell = self._build, self._cell
        driven = add_product(
            build, self._graph, source, direction.weight, f"{direction.name}.input"
        )
        bias = cell.bias_outside(direction, self._given)
        if bias.any():
            driven = build.add("Add", [driven, build.constant("bias", bias)], "biased")
        states = [
            self._select(state, direction.place) if optional(self._node, name) else state
            for state, name in zip(initial, ("initial_h", "initial_c"), strict=False)
        ]
        scanned = [driven, *([mask] if mask else [])]
        outputs = [build.name(f"last_{place}") for place in range(len(states))]
        outputs.append(build.name("sequence"))
        way = [int(direction.reverse)]
        build.nodes.append(
            helper.make_node(
                "Scan",
                [*states, *scanned],
                outputs,
                build.name("steps"),
                body=self._body(direction, bool(mask)),
                num_scan_inputs=len(scanned),
                scan_input_directions=way * len(scanned),
                scan_output_directions=way,
            )
        )
        return [outputs[-1], *outputs[:-1]]

    def _select(self, name: str, place: int) -> str:
        index = self._number("direction", place)
        return self._build.add("Gather", [name, index], "state", axis=0)

    def _number(self, part: str, value: int) -> str:
        """Add an int64 constant without axes."""
        return self._graph.constant(f"{self._name}/{part}", np.asarray(value, dtype=np.int64))

    def _body(self, direction: Direction, masked: bool) -> onnx.GraphProto:
        """Write the graph of a step; beyond a sequence's end its states stay and its result is 0."""
        cell, op = self._cell, user_op(self._node)
        body = self._graph.builder(f"{direction.name}/step")
        bound = self._given.get("clip", -1.0)
        clip = bound if bound >= 0 else None
        step = Step(build=body, graph=self._graph, direction=direction, clip=clip, drive=cell.drive)
        states = [body.name(f"state_{place}") for place in range(cell.states)]
        driven = body.name("driven")
        hidden, columns = direction.hidden, cell.gates * direction.hidden
        inputs = [(state, TensorProto.FLOAT, hidden) for state in states]
        inputs.append((driven, TensorProto.FLOAT, columns))
        new = cell.step(step, driven, states, self._given)
        result = new[0]
        if masked:
            mask = body.name("within")
            inputs.append((mask, TensorProto.BOOL, 1))
            result = body.add("Where", [mask, result, body.scalar("nothing", 0.0)], "result")
            new = [
                body.add("Where", [mask, *pair], "kept") for pair in zip(new, states, strict=True)
            ]
        # A body's outputs have names of their own: a state is given out twice.
        outputs = [body.add("Identity", [item], "next") for item in new]
        outputs.append(body.add("Identity", [result], "output"))
        self._graph.take_constants(body.constants)
        for item in body.nodes:
            if item.op_type == "MatMul":
                set_user_op(item, op)
        return helper.make_graph(
            body.nodes,
            f"{direction.name} step",
            [_tensor(*item) for item in inputs],
            [_tensor(item, TensorProto.FLOAT, hidden) for item in outputs],
        )

    def _give(self, results: list[str], place: int, lengths: str, output: str) -> None:
        """Put the directions together as an output of the node."""
        build = self._build
        axis = build.constant("direction_axis", np.asarray([0 if place else 1], dtype=np.int64))
        stacked = [build.add("Unsqueeze", [result, axis], "directed") for result in results]
        whole = stacked[0]
        if len(stacked) > 1:
            whole = build.add("Concat", stacked, "directions", axis=0 if place else 1)
        if place and lengths:
            whole = self._without_empty(whole, lengths)
        if self._data_type != TensorProto.FLOAT:
            whole = build.add("Cast", [whole], "typed", to=self._data_type)
        build.give(whole, output)

    def _without_empty(self, states: str, lengths: str) -> str:
        """Set the last states of sequences without a step to 0, as onnxruntime does."""
        build = self._build
        zero = build.constant("no_step", np.asarray(0, dtype=np.int32))
        steps = build.add("Greater", [lengths, zero], "any_step")
        axis = build.constant("last_axis", np.asarray([1], dtype=np.int64))
        column = build.add("Unsqueeze", [steps, axis], "any_step_column")
        return build.add("Where", [column, states, build.scalar("empty", 0.0)], "last")


def add_product(
    build: GraphBuilder, graph: Rewriting, source: str, matrix: np.ndarray, name: str
) -> str:
    """Write a product whose node has the given name."""
    part = name.rpartition(".")[2]
    inputs = [source, build.constant(f"{part}_weight", matrix)]
    return build.add_named(graph.name(name), "MatMul", inputs, part)


def _lengths(build: GraphBuilder, source: str, axis: int, part: str) -> str:
    """Return the length of an axis, int64 (1,)."""
    shape = build.add("Shape", [source], f"{part}_shape")
    index = build.constant(f"{part}_axis", np.asarray([axis], dtype=np.int64))
    return build.add("Gather", [shape, index], part, axis=0)


def _tensor(name: str, data_type: int, length: int) -> onnx.ValueInfoProto:
    """Describe a tensor of a step: (batch, length)."""
    return helper.make_tensor_value_info(name, data_type, [None, length])


def optional(node: onnx.NodeProto, name: str) -> str:
    """Return the name of an optional input; empty where a node has none."""
    place = _OPTIONAL[name]
    return node.input[place] if place < len(node.input) else ""
