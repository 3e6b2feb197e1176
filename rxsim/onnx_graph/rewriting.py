"""A graph while a pass rewrites its nodes one by one: what every rewriting asks, found out once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import onnx

from rxsim.onnx_graph.constants import constants, set_constant
from rxsim.onnx_graph.names import fresh_name, taken_names
from rxsim.onnx_graph.shapes import inferred_values


class Rewriting:
    """A model whose nodes are being replaced by others.

    Attributes:
        constants: the initializers of the model as it came.
        ranks: ranks of its tensors where shape inference knows them.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._taken = taken_names(model)
        self.constants = constants(model)

    @cached_property
    def ranks(self) -> dict[str, int]:
        """Infer them once, if ever they are asked for."""
        return {
            value.name: len(value.type.tensor_type.shape.dim)
            for value in inferred_values(self._model)
            if value.type.tensor_type.HasField("shape")
        }

    def name(self, wanted: str) -> str:
        """Take a name that is free."""
        return fresh_name(self._taken, wanted)

    def constant(self, wanted: str, value: np.ndarray) -> str:
        """Add a constant; return its name."""
        name = self.name(wanted)
        set_constant(self._model, name, value)
        return name
