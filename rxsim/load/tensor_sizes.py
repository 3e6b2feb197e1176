"""How many elements each tensor has per network input, and how often it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from rxsim.load.macs import ExecutedShapes, known_shapes
from rxsim.onnx_graph import n_entries


@dataclass(frozen=True, slots=True)
class TensorSize:
    """The size of a tensor per network input.

    Attributes:
        elements: its elements, of all times that it is made.
        times: how often it is made: once outside of loops.
    """

    elements: int
    times: int = 1


def tensor_sizes(
    model: onnx.ModelProto,
    inputs: Mapping[str, tuple[int, ...]],
    executed: ExecutedShapes | None = None,
) -> dict[str, TensorSize]:
    """Return the sizes of all tensors that are known.

    A model that prescribes its batch size is counted at that size, and its share taken.

    Args:
        model: the normalised graph.
        inputs: shape of each network input, batch axis of length 1 included.
        executed: what a run showed of tensors that can't be inferred, such as those in bodies.
    """
    shapes, given, prescribed = known_shapes(model, inputs)
    sizes = {}
    for name, shape in shapes.items():
        count = n_entries(shape)
        if count is not None:
            sizes[name] = TensorSize(count * given // prescribed)
    for name, rows in (executed or {}).items():
        if name not in sizes:
            elements = int(np.prod(rows, axis=1, dtype=np.int64).sum())
            sizes[name] = TensorSize(elements * given // prescribed, len(rows))
    return sizes
