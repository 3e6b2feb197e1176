"""Collect the nodes and constants that replace a node, under names that begin with its name."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rxsim.onnx_graph.names import fresh_name
from rxsim.onnx_graph.stored import constant_in_file

_LARGE = 1024  # bytes


class GraphBuilder:
    """Nodes in order and the constants they read; every name starts with that of what is replaced."""

    def __init__(self, prefix: str, taken: set[str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix
        self._taken = taken
        self._tried: dict[str, int] = {}
        self._large: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def name(self, part: str) -> str:
        """Return a free name for a part."""
        return fresh_name(self._taken, f"{self._prefix}/{part}", self._tried)

    def constant(self, part: str, value: np.ndarray) -> str:
        """Add a constant and return its name; a large one that is there already is used again.

        The passes of an input share their matrices where their converters have one LSB.
        """
        value = np.ascontiguousarray(value)
        key = None
        if value.nbytes >= _LARGE:
            key = (
                value.dtype.str,
                value.shape,
                hashlib.sha256(value.reshape(-1).view(np.uint8).data).digest(),
            )
            if key in self._large:
                return self._large[key]
        name = self.name(part)
        in_file = constant_in_file(value, name)
        self.constants.append(numpy_helper.from_array(value, name) if in_file is None else in_file)
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

    def add_in_turn(self, terms: list[str], part: str) -> str:
        """Add the sum of tensors, one after the other, and return its name; a single one is the sum.

        The same sum, to the last bit, as that of a node Sum, which adds in this order too but holds all
        terms at once. A runtime that works its way back from the outputs (onnxruntime takes the node
        that was written last first) makes each term just before it is added: for this sums are written
        behind all terms.
        """
        total = terms[0]
        for left, term in zip(range(len(terms) - 2, -1, -1), terms[1:], strict=True):
            total = self.add("Add", [total, term], f"{part}_before_{left}" if left else part)
        return total

    def add_named(
        self, node_name: str, op: str, inputs: list[str], part: str, **attributes: Any
    ) -> str:
        """Add a node that keeps a name, such as the user's; return its output's name."""
        result = self.add(op, inputs, part, **attributes)
        self.nodes[-1].name = node_name
        return result

    def give(self, result: str, output: str) -> None:
        """Let a result go by the name of an output: the last node's own, else by an Identity."""
        if self.nodes and self.nodes[-1].output[0] == result:
            self.nodes[-1].output[0] = output
        else:
            self.add("Identity", [result], "result", output)
