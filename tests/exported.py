"""Networks in the form that exporters give them, their multiply-accumulates counted by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import numpy_helper, parser


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exported:
    """A network and what the definitions of its operators say of it.

    Attributes:
        model: the file.
        shape: shape of one input ``x``, the batch left out.
        mapped: multiply-accumulates with a constant factor, for one input.
        digital: those of two activations.
    """

    model: onnx.ModelProto
    shape: tuple[int, ...]
    mapped: int
    digital: int = 0


def exported(
    text: str,
    shape: tuple[int, ...],
    tensors: Mapping[str, ArrayLike],
    results: str = "float[B,U] y",
) -> onnx.ModelProto:
    """Return a model from its nodes, of operator set 20; ``__`` in a name stands for ``/``.

    Args:
        text: nodes as ONNX text.
        shape: shape of one input ``x``.
        tensors: initializers by name; float64 becomes float32.
        results: outputs as ONNX text.
    """
    axes = ",".join(map(str, shape))
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["": 20, "ai.onnx.ml": 1, "com.microsoft": 1]> '
        f"g (float[batch,{axes}] x) => ({results}) {{{text}}}"
    )
    for node in model.graph.node:
        node.name = node.name.replace("__", "/")
    for name, value in tensors.items():
        array = np.asarray(value)
        kept = array.astype(np.float32) if array.dtype == np.float64 else array
        model.graph.initializer.append(numpy_helper.from_array(kept, name))
    return model


def drawn(*shape: int) -> np.ndarray:
    """Draw weights that depend on their shape alone."""
    values: np.ndarray = np.random.default_rng(shape).standard_normal(shape)
    return values


def longs(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def cell_macs(matrices: int, inputs: int, hidden: int, steps: int, directions: int = 1) -> int:
    """At every step each of a cell's matrices meets the input and the state: LSTM has 4, GRU 3."""
    return directions * steps * matrices * hidden * (inputs + hidden)
