"""Tensors that are never below 0, whatever is fed: found from the graph alone, without a run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from rxsim.onnx_graph.nodes import attributes
from rxsim.onnx_graph.scopes import all_graphs, defined_names, inner_graphs
from rxsim.onnx_graph.shapes import without_large_constants
from rxsim.onnx_graph.sign_rules import UNSIGNED, Known, nonnegative_outputs
from rxsim.onnx_graph.stored import values_of


def nonnegative_tensors(model: onnx.ModelProto) -> frozenset[str]:
    """Return the names of the tensors that can't be below 0, those of inner graphs included.

    Anything that no rule of ONNX's operators makes so may be below 0: the answer errs to that side.
    Inputs may be, unless their type has no numbers below 0. Constants are what the file holds.

    What a loop hands from step to step is never below 0 where it begins so and where each step keeps it
    so. A name that stands in several inner graphs counts only if it is never below 0 in any of them.

    Args:
        model: the model; the normalised graph, to ask about the inputs of layers.
    """
    signs = _Signs(_types_of(model))
    signs.graph(model.graph, _Scope({}, {}), frozenset())
    return frozenset(name for name, held in signs.found.items() if held)


class _Scope:
    """The names that are visible in a graph.

    Attributes:
        signs: whether a tensor is never below 0, by name.
        constants: tensors by name.
    """

    def __init__(self, signs: dict[str, bool], constants: dict[str, onnx.TensorProto]) -> None:
        self.signs, self.constants = signs, constants

    def inner(self) -> _Scope:
        """Return what a graph inside this one begins with."""
        return _Scope(dict(self.signs), dict(self.constants))

    def nonnegative(self, name: str) -> bool:
        return self.signs.get(name, False)

    def values(self, name: str) -> np.ndarray | None:
        """Return a constant's numbers; None where it is none, or holds something else."""
        tensor = self.constants.get(name)
        return None if tensor is None else _numbers(tensor)


class _Signs:
    """The walk over a model.

    Attributes:
        found: whether a tensor is never below 0 wherever its name stands.
    """

    def __init__(self, types: Mapping[str, int]) -> None:
        self.found: dict[str, bool] = {}
        self._types = types

    def graph(self, graph: onnx.GraphProto, scope: _Scope, given: frozenset[str]) -> list[bool]:
        """Go through a graph in order; write what is known into the scope and into `found`.

        Args:
            graph: the graph.
            scope: what is visible around it; extended.
            given: its inputs that are known to be never below 0.

        Returns:
            Of each of its outputs whether it is never below 0.
        """
        for value in graph.input:
            scope.signs[value.name] = value.name in given or self._unsigned(value.name)
        for tensor in graph.initializer:
            scope.constants[tensor.name] = tensor
            scope.signs[tensor.name] = _never_below_0(tensor)
        makers = {name: node for node in graph.node for name in node.output if name}
        known = Known(
            nonnegative=scope.nonnegative, values=scope.values, types=self._types, makers=makers
        )
        for node in graph.node:
            for name in node.output:
                scope.signs[name] = self._unsigned(name)
            if inner_graphs(node):
                sure = self._outputs(node, scope)
            elif node.op_type == "Constant":
                sure = _take_constant(node, scope)
            else:
                sure = nonnegative_outputs(node, known)
            scope.signs.update(dict.fromkeys(sure, True))
        for name in defined_names(graph):
            self.found[name] = scope.nonnegative(name) and self.found.get(name, True)
        return [scope.nonnegative(value.name) for value in graph.output]

    def _outputs(self, node: onnx.NodeProto, scope: _Scope) -> list[str]:
        """Go through the graphs of a node; return its outputs that are never below 0."""
        if node.op_type == "If":
            branches = [self.graph(each, scope.inner(), frozenset()) for each in inner_graphs(node)]
            sure = [all(ends) for ends in zip(*branches, strict=True)]
        elif node.op_type in ("Loop", "Scan"):
            sure = self._loop(node, scope)
        else:
            for each in inner_graphs(node):
                self.graph(each, scope.inner(), frozenset())
            sure = []
        return [name for name, held in zip(node.output, sure, strict=False) if held and name]

    def _loop(self, node: onnx.NodeProto, scope: _Scope) -> list[bool]:
        """Return of each output of a Loop or a Scan whether it is never below 0."""
        (body,) = inner_graphs(node)
        first_in, first_out, fed = _states_of(node)
        n_states = len(fed) - attributes(node).get("num_scan_inputs", 0)
        names = [value.name for value in body.input]
        if len(names) != first_in + len(fed):  # Scan of operator set 8
            self.graph(body, scope.inner(), frozenset())
            return []
        # The counter of a Loop begins at 0.
        given = set(names[:1]) if first_in else set()
        given.update(
            name
            for name, source in zip(names[first_in:], fed, strict=True)
            if scope.nonnegative(source)
        )
        while True:
            ends = self.graph(body, scope.inner(), frozenset(given))[first_out:]
            states = names[first_in : first_in + n_states]
            lost = {name for name, held in zip(states, ends, strict=False) if not held} & given
            if not lost:
                break
            given -= lost
        return [name in given for name in states] + ends[n_states:]

    def _unsigned(self, name: str) -> bool:
        return self._types.get(name, 0) in UNSIGNED


def _states_of(node: onnx.NodeProto) -> tuple[int, int, list[str]]:
    """Return where states begin among a body's inputs and outputs, and what is fed from there on."""
    if node.op_type == "Loop":
        return 2, 1, list(node.input[2:])  # the counter and the condition; the condition
    return 0, 0, list(node.input)


def _take_constant(node: onnx.NodeProto, scope: _Scope) -> list[str]:
    """Take up a Constant; return its output if it holds nothing below 0."""
    (name,) = node.output
    stated = attributes(node)
    if "value" in stated:
        tensor = stated["value"]
    else:
        numbers = [stated.get(f"value_{kind}") for kind in ("float", "floats", "int", "ints")]
        given = next((number for number in numbers if number is not None), None)
        if given is None:
            return []
        tensor = numpy_helper.from_array(np.asarray(given))
    scope.constants[name] = tensor
    return [name] if _never_below_0(tensor) else []


def _never_below_0(tensor: onnx.TensorProto) -> bool:
    numbers = _numbers(tensor)
    return numbers is not None and not (numbers < 0).any()


def _numbers(tensor: onnx.TensorProto) -> np.ndarray | None:
    """Return a tensor's numbers; None for text, complex numbers and values in another file."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return None
    values = values_of(tensor)
    return None if values.dtype.kind in "OSUc" else values


def _types_of(model: onnx.ModelProto) -> dict[str, int]:
    """Return the types of tensors that ONNX can infer; a name that has several has none."""
    lean = without_large_constants(model)
    with contextlib.suppress(Exception):  # onnx raises many types
        lean = onnx.shape_inference.infer_shapes(lean)
    types: dict[str, int] = {}
    for graph in all_graphs(lean.graph):
        stated = [
            (value.name, value.type.tensor_type.elem_type)
            for value in [*graph.value_info, *graph.input, *graph.output]
        ]
        stated += [(tensor.name, tensor.data_type) for tensor in graph.initializer]
        for name, kind in stated:
            if kind and types.setdefault(name, kind) != kind:
                types[name] = 0
    return types
