"""The shapes that tensors have in a run, where shape inference does not tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import helper

from rxsim.errors import ModelError
from rxsim.onnx_graph import (
    all_graphs,
    defined_names,
    fresh_name,
    taken_names,
    with_outputs,
)
from rxsim.session import Session


def executed_shapes(
    model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Run a model once and return the shapes of some of its tensors.

    Args:
        model: the normalised graph.
        feeds: a batch of inputs.
        names: tensors of the main graph and of bodies.

    Returns:
        By name int64 (times that the tensor was made, axes); those that could not be had are left out.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    taken = taken_names(watched)
    shapes = {name: _add_shape(watched, name, taken) for name in names}
    shapes = {name: shape for name, shape in shapes.items() if shape}
    try:
        session = Session(with_outputs(watched, list(shapes.values())), "the float network")
        results = session.run(list(shapes.values()), dict(feeds))
    except ModelError:
        return {}
    return {
        name: result.astype(np.int64) if result.ndim == 2 else np.zeros((0, 0), dtype=np.int64)
        for name, result in zip(shapes, results, strict=True)
    }


def _add_shape(model: onnx.ModelProto, name: str, taken: set[str]) -> str:
    """Add a tensor's shape, a row, to the graph where it is made; return its name."""
    graph = next((item for item in all_graphs(model.graph) if name in defined_names(item)), None)
    if graph is None:
        return ""
    shape, row = (fresh_name(taken, f"{name}:{part}") for part in ("length", "lengths"))
    zero = fresh_name(taken, f"{name}:axis")
    axis = helper.make_tensor(zero, onnx.TensorProto.INT64, [1], [0])
    model.graph.initializer.append(axis)
    graph.node.append(helper.make_node("Shape", [name], [shape]))
    graph.node.append(helper.make_node("Unsqueeze", [shape, zero], [row]))
    return row
