"""Collect the nodes and constants that replace one layer, under names of its own."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

_LARGE = 1024  # bytes


class GraphBuilder:
    """Nodes in order and the constants they read; every name starts with the layer's."""

    def __init__(self, prefix: str, taken: set[str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix
        self._taken = taken
        self._large: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def name(self, part: str) -> str:
        """Return a free name for a part of the layer."""
        wanted = f"{self._prefix}/{part}"
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}_{number}", number + 1
        self._taken.add(name)
        return name

    def constant(self, part: str, value: np.ndarray) -> str:
        """Add a constant and return its name; a large one that is there already is used again.

        The passes of an input share their matrices where their converters have one LSB.
        """
        value = np.ascontiguousarray(value)
        key = None
        if value.nbytes >= _LARGE:
            key = (value.dtype.str, value.shape, hashlib.sha256(value.tobytes()).digest())
            if key in self._large:
                return self._large[key]
        name = self.name(part)
        self.constants.append(numpy_helper.from_array(value, name))
        if key is not None:
            self._large[key] = name
        return name

    def scalar(self, part: str, value: float) -> str:
        """Add a float32 constant without axes and return its name."""
        return self.constant(part, np.asarray(value, dtype=np.float32))

    def add(
        self,
        op: str,
        inputs: list[str],
        part: str,
        output: str | None = None,
        **attributes: Any,
    ) -> str:
        """Add a node of one output and return the output's name."""
        result = output or self.name(part)
        node_name = result if output is None else self.name(part)
        self.nodes.append(helper.make_node(op, inputs, [result], node_name, **attributes))
        return result
