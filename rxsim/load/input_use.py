"""What a network does with an input of whole numbers: what can be put there without data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx

from rxsim.load.inputs import InputSpec
from rxsim.onnx_graph import (
    Shape,
    all_nodes,
    constants,
    inferred_values,
    inner_graphs,
    shape_of,
    values_of,
)

Use = Literal["ids", "positions", "mask", "left out", "lengths", "value", "pixels", "unknown"]
# Operators that hand their first input on, value by value.
_HANDED_ON = {
    *("Cast", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Transpose", "Flatten", "Expand"),
    *("Slice", "Clip"),
}
# Source: onnxruntime's ContribOperators.md: input_ids and segment_ids pick rows of these inputs.
_EMBEDDINGS = {0: 2, 1: 4}
_GUESSES = ("unknown", "pixels")
_RECURRENT = {"LSTM", "GRU", "RNN"}
# Assumption: no more classes than this are compared with one by one.
_LARGEST_COUNT = 2**20


@dataclass(frozen=True, slots=True)
class InputUse:
    """What an input of whole numbers or of truth values is for.

    Attributes:
        kind: ids: places in a table; positions: places in a sequence; mask: what counts; left out:
            a mask of what does not; lengths: of sequences; value: one that it is compared with;
            pixels: brightness; unknown: nothing tells.
        number: rows of the smallest table for ids and positions, time steps for lengths (None:
            unknown); the value for value.
        why: what tells, in a few words.
    """

    kind: Use
    number: int | None
    why: str


def input_uses(
    original: onnx.ModelProto, model: onnx.ModelProto, specs: Mapping[str, InputSpec]
) -> dict[str, InputUse]:
    """Find out what inputs of whole numbers or truth values are for; others are left out.

    Args:
        original: the user's model, in which operators are as the user wrote them.
        model: its normalised graph, in which constants are computed; asked where the other tells
            nothing.
        specs: the inputs by name.
    """
    wanted = [spec for spec in specs.values() if spec.dtype.kind in "iub"]
    if not wanted:
        return {}
    graph = _Graph(original)
    uses = {spec.name: _use(graph, spec) for spec in wanted}
    if any(use.kind in _GUESSES for use in uses.values()):
        graph = _Graph(model)
        others = {spec.name: _use(graph, spec) for spec in wanted}
        uses |= {name: others[name] for name, use in uses.items() if use.kind in _GUESSES}
    return uses


class _Graph:
    """The main graph: who reads each tensor, constants, and shapes where they are known."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.readers: dict[str, list[tuple[onnx.NodeProto, int]]] = {}
        for node in all_nodes(model.graph):
            for place, name in enumerate(node.input):
                self.readers.setdefault(name, []).append((node, place))
        self._makers = {name: node for node in model.graph.node for name in node.output if name}
        self._constants = {**constants(model), **_constant_nodes(model)}
        self._shapes = {value.name: shape_of(value) for value in inferred_values(model)}

    def shape(self, name: str) -> Shape | None:
        """Return a tensor's shape, None where nothing is known."""
        if name in self._constants:
            return tuple(self._constants[name].dims)
        return self._shapes.get(name)

    def number(self, name: str) -> int | None:
        """Return a constant that is one whole number; None for anything else."""
        tensor = self._constants.get(name)
        if tensor is None or np.prod(tensor.dims, dtype=np.int64) != 1:
            return None
        value = float(values_of(tensor).ravel()[0])
        return int(value) if value.is_integer() else None

    def counted(self, name: str) -> int | None:
        """Return n where a tensor is the constant 0, 1 .. n - 1, in any shape; None for others."""
        while name in self._makers and self._makers[name].op_type in _HANDED_ON:
            name = self._makers[name].input[0]
        tensor = self._constants.get(name)
        size = 0 if tensor is None else int(np.prod(tensor.dims, dtype=np.int64))
        if tensor is None or not 1 < size <= _LARGEST_COUNT:
            return None
        values = values_of(tensor).ravel()
        return size if (values == np.arange(size)).all() else None

    def reached(self, name: str) -> Iterator[tuple[onnx.NodeProto, int]]:
        """Yield what reads a tensor, directly or as others hand it on, with the place of its input."""
        waiting, seen = [name], {name}
        while waiting:
            for node, place in self.readers.get(waiting.pop(0), ()):
                yield node, place
                if place == 0 and node.op_type in _HANDED_ON and node.output[0] not in seen:
                    seen.add(node.output[0])
                    waiting.append(node.output[0])
                for inner in _taken_in(node, place):
                    if inner not in seen:
                        seen.add(inner)
                        waiting.append(inner)


def _taken_in(node: onnx.NodeProto, place: int) -> list[str]:
    """Return the names under which the body of a Loop or Scan takes one of the node's inputs."""
    if node.op_type not in ("Loop", "Scan"):
        return []
    bodies = inner_graphs(node)
    return [body.input[place].name for body in bodies if place < len(body.input)]


def _constant_nodes(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Return the values of the main graph's Constant nodes, where these are tensors, by name."""
    return {
        node.output[0]: item.t
        for node in model.graph.node
        if node.op_type == "Constant"
        for item in node.attribute
        if item.name == "value"
    }


def _use(graph: _Graph, spec: InputSpec) -> InputUse:
    name, reached = spec.name.casefold(), list(graph.reached(spec.name))
    table = _smallest_table(graph, reached)
    # Source: torch.nn.MultiheadAttention: a key_padding_mask of bool is true where keys are ignored.
    if "key_padding_mask" in name and spec.dtype.kind == "b":
        return InputUse("left out", None, "its name")
    if "mask" in name:
        return InputUse("mask", None, "its name")
    if spec.dtype.kind == "b":
        return InputUse("mask", None, "its type, bool")
    if table is not None:
        rows, node = table
        kind: Use = "positions" if "position" in name else "ids"
        return InputUse(kind, rows, f"{node.op_type} {node.name} has {rows} rows")
    for node, place in reached:
        if node.op_type in _RECURRENT and place == 4:
            shape = graph.shape(node.input[0])
            steps = shape[_steps_axis(node)] if shape else None
            return InputUse("lengths", steps, f"sequence lengths of {node.op_type} {node.name}")
    if "len" in name:
        return InputUse("lengths", None, "its name")
    for node, place in reached:
        if node.op_type == "Where" and place == 0:
            return InputUse("mask", None, f"the condition of Where {node.name}")
        if node.op_type == "Sub" and place == 1 and graph.number(node.input[0]) == 1:
            return InputUse("mask", None, f"1 less it in {node.name}")
    for node, place in reached:
        if node.op_type == "Equal":
            value = graph.number(node.input[1 - place])
            if value is not None:
                return InputUse("value", value, f"{node.name} compares it with {value}")
    if "position" in name:
        return InputUse("positions", None, "its name")
    if spec.dtype == np.uint8 or len(spec.shape) >= 4:
        return InputUse("pixels", None, "its type" if spec.dtype == np.uint8 else "its four axes")
    return InputUse("unknown", None, "nothing tells")


def _steps_axis(node: onnx.NodeProto) -> int:
    """Return the axis of the time steps of what a recurrent node takes."""
    return next((item.i for item in node.attribute if item.name == "layout"), 0)


def _smallest_table(
    graph: _Graph, reached: list[tuple[onnx.NodeProto, int]]
) -> tuple[int, onnx.NodeProto] | None:
    """Return the fewest rows that anything picks from by an input's values, and the node that does."""
    found = []
    for node, place in reached:
        rows = None
        if node.op_type in ("Gather", "GatherElements") and place == 1:
            shape = graph.shape(node.input[0])
            axis = next((item.i for item in node.attribute if item.name == "axis"), 0)
            rows = None if not shape else shape[axis]
        elif node.op_type == "EmbedLayerNormalization" and place in _EMBEDDINGS:
            shape = graph.shape(node.input[_EMBEDDINGS[place]])
            rows = None if not shape else shape[0]
        elif node.op_type == "OneHot" and place == 0:
            rows = graph.number(node.input[1])
        elif node.op_type == "Equal":  # with each of 0, 1, 2 ..: how some exporters write OneHot
            rows = graph.counted(node.input[1 - place])
        if rows:
            found.append((rows, node))
    return min(found, key=lambda item: item[0], default=None)
