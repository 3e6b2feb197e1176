"""A graph while a pass rewrites its nodes one by one: what every rewriting asks, found out once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property

import numpy as np
import onnx

from rxsim.onnx_graph.builder import GraphBuilder
from rxsim.onnx_graph.constants import constants, set_constant
from rxsim.onnx_graph.names import fresh_name, taken_names
from rxsim.onnx_graph.nodes import attributes, use_counts
from rxsim.onnx_graph.scopes import all_graphs, all_nodes
from rxsim.onnx_graph.shapes import Shape, inferred_values, shape_of
from rxsim.onnx_graph.stored import values_of

_FLOATS = (
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.BFLOAT16,
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.DOUBLE,
)


class Rewriting:
    """A model whose nodes are being replaced by others.

    Attributes:
        constants: the initializers of the model, those that were added included.
        repeated: whether the node at hand stands in the body of a loop.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._taken = taken_names(model)
        self.constants = constants(model)
        self.repeated = False

    @cached_property
    def _values(self) -> dict[str, onnx.ValueInfoProto]:
        """Infer types once, if ever they are asked for."""
        return {value.name: value for value in inferred_values(self._model)}

    @cached_property
    def uses(self) -> Counter[str]:
        """How often each tensor of the model as it came is read, or given out."""
        return use_counts(self._model)

    @cached_property
    def _float_casts(self) -> Counter[str]:
        """How often each tensor of the model as it came is cast to a floating-point type."""
        return Counter(
            node.input[0]
            for node in all_nodes(self._model.graph)
            if node.op_type == "Cast" and attributes(node)["to"] in _FLOATS
        )

    def is_read_as_float(self, name: str) -> bool:
        """Tell whether whoever reads a tensor casts it to a floating-point type first."""
        return 0 < self.uses[name] == self._float_casts[name]

    @cached_property
    def ranks(self) -> dict[str, int]:
        """Ranks of the tensors of the model as it came, where shape inference knows them."""
        return {
            name: len(value.type.tensor_type.shape.dim)
            for name, value in self._values.items()
            if value.type.tensor_type.HasField("shape")
        }

    def shape(self, name: str) -> Shape | None:
        """Return a tensor's shape, None for free axes; None where nothing is known."""
        if name in self.constants:
            return tuple(self.constants[name].dims)
        value = self._values.get(name)
        return None if value is None else shape_of(value)

    def element_type(self, name: str) -> int:
        """Return a tensor's type as ONNX counts them; 0 where it is not known."""
        if name in self.constants:
            return int(self.constants[name].data_type)
        value = self._values.get(name)
        return 0 if value is None else int(value.type.tensor_type.elem_type)

    def note(self, name: str, element_type: int, shape: Shape | None) -> None:
        """Remember type and shape of a tensor that a rewriting adds."""
        if shape is None:
            self._values[name] = onnx.helper.make_tensor_value_info(name, element_type, None)
            return
        axes = [-1 if axis is None else axis for axis in shape]
        self._values[name] = onnx.helper.make_tensor_value_info(name, element_type, axes)
        self.ranks[name] = len(axes)

    def change_type(self, name: str, element_type: int) -> None:
        """Give a tensor of the model another type, also where the file states its type."""
        for graph in all_graphs(self._model.graph):
            for place in range(len(graph.value_info) - 1, -1, -1):
                if graph.value_info[place].name == name:
                    del graph.value_info[place]
        self.note(name, element_type, self.shape(name))

    def value(self, name: str) -> np.ndarray | None:
        """Return the values of a constant; None where a tensor is none."""
        tensor = self.constants.get(name)
        return None if tensor is None else values_of(tensor)

    def name(self, wanted: str) -> str:
        """Take a name that is free."""
        return fresh_name(self._taken, wanted)

    def constant(self, wanted: str, value: np.ndarray) -> str:
        """Add a constant; return its name."""
        name = self.name(wanted)
        set_constant(self._model, name, value)
        self.constants[name] = self._model.graph.initializer[-1]
        return name

    def builder(self, prefix: str) -> GraphBuilder:
        """Begin the nodes that replace a node; hand them to `finish`."""
        return GraphBuilder(prefix, self._taken)

    def finish(self, build: GraphBuilder) -> list[onnx.NodeProto]:
        """Take over the constants of a builder; return its nodes."""
        self.take_constants(build.constants)
        return build.nodes

    def take_constants(self, tensors: Iterable[onnx.TensorProto]) -> None:
        """Add constants under the names that they have."""
        for tensor in tensors:
            self._model.graph.initializer.append(tensor)
            self.constants[tensor.name] = self._model.graph.initializer[-1]
