"""Multiply-accumulates of every product for inputs of given shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from rxsim.load.digital import may_multiply
from rxsim.onnx_graph import (
    Shape,
    all_nodes,
    constants,
    inferred_values,
    inner_graphs,
    nodes_with_holders,
    shape_of,
    without_large_constants,
)
from rxsim.operators import operator_of

ExecutedShapes = Mapping[str, np.ndarray]
"""By tensor the shapes that it had in a run, int64 (times that it was made, axes)."""


@dataclass(frozen=True, slots=True)
class Work:
    """Multiply-accumulates per network input.

    Attributes:
        macs: by the name of the product's node, where its sizes are known.
        unknown: names of the products whose sizes are not known, and of operators that may multiply.
        varying: names of the products in loops whose tensors change their shape from step to step.
        from_run: names of the products that a run told of and that follow from values: of another input
            it may tell other numbers.
    """

    macs: Mapping[str, int]
    unknown: tuple[str, ...] = ()
    varying: tuple[str, ...] = ()
    from_run: tuple[str, ...] = ()


def count_work(
    model: onnx.ModelProto,
    inputs: Mapping[str, tuple[int, ...]],
    executed: ExecutedShapes | None = None,
) -> Work:
    """Count the multiply-accumulates of every node that is an operator.

    A model that prescribes its batch size is counted at that size, and its share taken.

    Args:
        model: the normalised graph.
        inputs: shape of each network input, batch axis of length 1 included.
        executed: what a run showed, in place of what can't be inferred: how often a body is run, and
            sizes that depend on values.
    """
    shapes, given, prescribed = known_shapes(model, inputs)
    inside = {
        inner.name
        for node in model.graph.node
        for graph in inner_graphs(node)
        for inner in all_nodes(graph)
    }
    scanned = {
        node.name for node, holders in nodes_with_holders(model.graph) if set(holders) == {"Scan"}
    }
    macs: dict[str, int] = {}
    unknown: list[str] = []
    from_run: list[str] = []
    for node in all_nodes(model.graph):
        operator = operator_of(node)
        if operator is None:
            if may_multiply(node.op_type, node.domain):
                unknown.append(node.name)
            continue
        # How often a body is run is not known beforehand.
        count = None if node.name in inside else operator.macs(node, shapes)
        if count is None and executed is not None:
            count = _executed_macs(node, shapes, executed)
            if node.name not in scanned:  # a Scan has as many steps as its inputs
                from_run.append(node.name)
        if count is None:
            unknown.append(node.name)
        else:
            macs[node.name] = count * given // prescribed
    varying = _varying(model, inside, executed or {})
    return Work(macs, tuple(unknown), varying, tuple(from_run))


def known_shapes(
    model: onnx.ModelProto, inputs: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Shape | None], int, int]:
    """Infer the shapes of tensors outside of bodies.

    Args:
        model: the normalised graph.
        inputs: shape of each network input, batch axis included.

    Returns:
        Shapes by tensor, the batch size of the inputs, and the batch size that the model prescribes,
        for which the shapes hold (both 1 where it prescribes none).
    """
    fixed = without_large_constants(model)
    given, prescribed = _fix_inputs(fixed, inputs)
    del fixed.graph.value_info[:]
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    shapes: dict[str, Shape | None] = {
        value.name: shape_of(value) for value in inferred_values(fixed)
    }
    shapes.update({name: tuple(tensor.dims) for name, tensor in constants(model).items()})
    return shapes, given, prescribed


def _varying(model: onnx.ModelProto, inside: set[str], executed: ExecutedShapes) -> tuple[str, ...]:
    """Name the products in bodies that a run showed with tensors of several shapes."""
    known = constants(model)
    return tuple(
        node.name
        for node in all_nodes(model.graph)
        if node.name in inside
        and operator_of(node) is not None
        and any(
            len(np.unique(executed[name], axis=0)) > 1
            for name in [*node.input, *node.output]
            if name in executed and name not in known and executed[name].size
        )
    )


def tensors_of(model: onnx.ModelProto, nodes: tuple[str, ...]) -> list[str]:
    """List the tensors that some nodes read and make, constants left out."""
    known, wanted = constants(model), set(nodes)
    names = [
        name
        for node in all_nodes(model.graph)
        if node.name in wanted
        for name in [*node.input, *node.output]
        if name and name not in known
    ]
    return list(dict.fromkeys(names))


def _fix_inputs(model: onnx.ModelProto, inputs: Mapping[str, tuple[int, ...]]) -> tuple[int, int]:
    """State the inputs' lengths, in place; return the batch that is given, and that prescribed."""
    given, prescribed = 1, 1
    for value in model.graph.input:
        axes = value.type.tensor_type.shape.dim
        if value.type.HasField("tensor_type") and not len(axes):
            for length in inputs.get(value.name, ()):
                axes.add().dim_value = length
        for axis, length in zip(axes, inputs.get(value.name, ()), strict=False):
            if axis.dim_value > 0:
                if axis.dim_value != length:  # only a batch can be of another length
                    given, prescribed = length, axis.dim_value
                continue
            axis.Clear()
            axis.dim_value = length
    return given, prescribed


def _executed_macs(
    node: onnx.NodeProto, shapes: Mapping[str, Shape | None], executed: ExecutedShapes
) -> int | None:
    """Count a node's work over all times that it was run; None where the run does not tell."""
    made = executed.get(node.output[0])
    operator = operator_of(node)
    if made is None or operator is None:
        return None
    total = 0
    names = [name for name in [*node.input, *node.output] if name]
    for step in range(len(made)):
        here: dict[str, Shape | None] = {name: shapes.get(name) for name in names}
        for name in names:
            rows = executed.get(name)
            if rows is not None and len(rows):
                # What stands outside the body is made once for all its steps.
                here[name] = tuple(int(length) for length in rows[step if len(rows) > 1 else 0])
        count = operator.macs(node, here)
        if count is None:
            return None
        total += count
    return total
