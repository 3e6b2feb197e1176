"""Operators whose weights a crossbar can hold: one file each, behind one Protocol.

A file of this folder (`conv.py`, `gemm.py` ..) holds one operator as `OPERATOR`, and all that rxsim
knows about it: which nodes it takes and why not others, its weight matrices, how values lie on the
wordlines, how its product and its digital rest are written in the patched graph, what it costs. To
add an operator is to add a file; names that begin with an underscore are shared parts. An operator that
is made of simpler ones is rewritten by `normalised` and has no products: a quantised product becomes
a Conv or MatMul between QuantizeLinear and DequantizeLinear, an LSTM a MatMul and a Scan with another
MatMul in its body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import onnx

from rxsim.folders import Folder
from rxsim.onnx_graph import GraphBuilder, Rewriting, Shape

_USER_OP = "rxsim.op"

Constants = Mapping[str, onnx.TensorProto]
"""Initializers by name."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the tensors around a product lie.

    Attributes:
        channel_axis: of its input and of its result: 1 where channels come first, else -1.
        spatial_axes: axes behind the channels, along which a value for each channel is spread.
        kernel: window of a channel: it drives prod(kernel) rows, channel first; () for a single row.
    """

    channel_axis: int
    spatial_axes: int
    kernel: tuple[int, ...]


ROWS = Layout(-1, 0, ())
"""Channels last, one row each: matrix products."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Product:
    """Weight matrices of a node with the same input tensor.

    Attributes:
        stored: the weights as the file holds them, in the float type of the node's tensors.
        matrices: weights as groups x K x N, scalar factors of the node included
            (docs/concepts/model.md section 2).
        input: name of the tensor that drives the wordlines.
        layout: how that tensor and the result lie.
        part: tells the products of a node apart; empty where there is a single product.
    """

    stored: np.ndarray
    matrices: np.ndarray
    input: str
    layout: Layout
    part: str = ""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Layer:
    """A product that can be mapped; settings, reports and results call it a layer.

    Attributes:
        name: its node's name in the user's file, else the node's first output; with the part behind
            where a node has several products.
        index: its place among all mappable layers in topological order.
        node: its node in the normalised graph.
        operator: what its node is.
        matrices: weights as groups x K x N, scalar factors such as `alpha` included.
        dtype: float type of this layer's tensors in the model.
        input: name of the tensor that drives the wordlines.
        layout: how that tensor and the result lie.
        node_weights: weights of all products of its node: by these it shares in the node's work.
        arrays_of: index of the layer whose arrays hold its weights: its own, or that of an earlier
            layer with the same weights (a chip's draws follow from it).
    """

    name: str
    index: int
    node: onnx.NodeProto
    operator: Operator
    matrices: np.ndarray
    dtype: np.dtype
    input: str
    layout: Layout
    node_weights: int
    arrays_of: int

    @property
    def op(self) -> str:
        """Type of its node in the user's file, such as Conv."""
        return user_op(self.node)

    @property
    def output(self) -> str:
        """Name of its node's result, bias included, before any activation."""
        return str(self.node.output[0])

    @property
    def groups(self) -> int:
        """Number of separate matrices."""
        return int(self.matrices.shape[0])

    @property
    def n_inputs(self) -> int:
        """Rows K of each matrix."""
        return int(self.matrices.shape[1])

    @property
    def n_outputs(self) -> int:
        """Columns N of each matrix."""
        return int(self.matrices.shape[2])

    @property
    def n_channels(self) -> int:
        """Channels of the result: the outputs of all groups."""
        return self.groups * self.n_outputs

    @property
    def kernel(self) -> tuple[int, ...]:
        """Window of a channel; () for matrix products."""
        return self.layout.kernel

    @property
    def kernel_size(self) -> int:
        """Rows that a channel drives."""
        return int(np.prod(self.kernel, dtype=np.int64))

    @property
    def input_channels(self) -> int:
        """Channels of the input tensor, those of all groups."""
        return self.groups * self.n_inputs // self.kernel_size

    @property
    def channel_axis(self) -> int:
        """Axis of the channels in the input and in the result."""
        return self.layout.channel_axis

    @property
    def full_input(self) -> np.ndarray:
        """The smallest input tensor, all ones: what stands for inputs that never reach a layer."""
        channels = self.input_channels
        shape = (1, channels, *self.kernel) if self.channel_axis == 1 else (1, channels)
        return np.ones(shape, dtype=np.float32)

    def along_channels(self, values: np.ndarray) -> np.ndarray:
        """Reshape values, one for each channel, so that they spread over a result."""
        return values.reshape(-1, *(1 for _ in range(self.layout.spatial_axes)))


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Addresses of the values that drive the wordlines at each position of an input.

    Row r of a group g is driven at position i by `values[starts[i] + distances[g * K + r]]`.

    Attributes:
        starts: int64 (positions,); the positions of the batch's first input come first.
        distances: int64 (groups * K,).
        values: the values, padded zeros included, flat.
    """

    starts: np.ndarray
    distances: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MatrixPart:
    """The part of a product that a conversion computes.

    Groups may be packed into blocks, which count as groups here; the last block may have empty
    places.

    Attributes:
        name: of the result.
        groups: blocks.
        n_inputs: rows K of a block.
        rows: the rows of a block that take part, int64.
        matrix: float64 (groups, rows, columns).
        added: constant on top, float64 (groups, columns); None for none.
    """

    name: str
    groups: int
    n_inputs: int
    rows: np.ndarray
    matrix: np.ndarray
    added: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Weights and bias that scales and shifts around a node may be folded into.

    Attributes:
        weight: as the file holds it.
        channel_axis: axis of `weight` along which the outputs lie.
        bias: float64, of a shape that spreads over the outputs; None for none.
        outside: whether the node takes no bias, so that one is added behind it.
        channels_last: whether channels are the last axis of input and result, not the second.
        input_axis: axis of `weight` along which the inputs of a group lie; None where nothing in front
            of the node can be folded.
        groups: into which inputs and outputs are split: parts of the first axis of `weight`.
        alpha: what the node multiplies its products by.
        padded: whether zeros may join the inputs, which a shift in front of the node does not reach.
    """

    weight: np.ndarray
    channel_axis: int
    bias: np.ndarray | None
    outside: bool = False
    channels_last: bool = False
    input_axis: int | None = None
    groups: int = 1
    alpha: float = 1.0
    padded: bool = False

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return self._count(self.channel_axis)

    @property
    def inputs(self) -> int:
        """Number of channels of the input; 0 where nothing in front can be folded."""
        return 0 if self.input_axis is None else self._count(self.input_axis)

    def over_outputs(self, values: np.ndarray) -> np.ndarray:
        """Lay values, one for each output, so that they spread over the weight."""
        return self._over(self.channel_axis, values)

    def over_inputs(self, values: np.ndarray) -> np.ndarray:
        """Lay values, one for each channel of the input, so that they spread over the weight."""
        assert self.input_axis is not None
        return self._over(self.input_axis, values)

    def _count(self, axis: int) -> int:
        return int(self.weight.shape[axis]) * (1 if axis == 0 else self.groups)

    def _over(self, axis: int, values: np.ndarray) -> np.ndarray:
        shape = [1] * self.weight.ndim
        shape[axis] = -1
        if axis == 0 or self.groups == 1:
            return values.reshape(shape)
        shape[0] = len(self.weight)
        each = np.repeat(values.reshape(self.groups, -1), len(self.weight) // self.groups, axis=0)
        return each.reshape(shape)


Multiply = Callable[[GraphBuilder, Layer, str], str]
"""Writes the product of a layer with a tensor into a graph; returns the name of the float32 result."""


class Operator(Protocol):
    """A kind of node that multiplies by weights.

    `rxsim.operators._single.SingleProduct` answers what most operators answer alike.
    """

    @property
    def op_types(self) -> tuple[tuple[str, str], ...]:
        """Domain ("" for ONNX's) and type of the nodes that it is about."""

    @property
    def maps(self) -> bool:
        """Whether crossbars take its nodes themselves; else they are rewritten, or counted only."""

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Return nodes that compute the same in the form that `products` takes; or the node itself.

        The node that multiplies keeps the name, the others have none yet.
        """

    def damage(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Say how a node is damaged: what was found and expected; empty where it is sound."""

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Return why a node can't be mapped, in words for the report; empty if it can."""

    def products(self, node: onnx.NodeProto, constants: Constants) -> Sequence[Product]:
        """Return the products of a node that can be mapped."""

    def misfit(self, layer: Layer, data: Shape | None, constants: Constants) -> str:
        """Say where weights and bias do not fit a layer's input; empty where they do.

        Args:
            layer: the layer.
            data: shape of its input, as far as it is known.
            constants: of the model.
        """

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count a node's multiply-accumulates; None where the shapes of its tensors do not tell."""

    def affine(self, node: onnx.NodeProto, constants: Constants) -> Affine | None:
        """Return the weights that scales and shifts can be folded into; None where they can't."""

    def set_affine(self, node: onnx.NodeProto, weight: str, bias: str) -> None:
        """Let a node read the constants that something was folded into; no bias where it is empty."""

    def windows(self, layer: Layer, values: np.ndarray) -> Windows:
        """Lay out what drives the wordlines.

        Args:
            layer: the layer.
            values: of its input tensor, in volt or in codes.
        """

    def add_product(self, build: GraphBuilder, layer: Layer, source: str, part: MatrixPart) -> str:
        """Write the product of a tensor and a part of a layer's matrices.

        Args:
            build: takes the nodes.
            layer: the layer.
            source: name of the tensor that drives, of the shape of the layer's input.
            part: rows and matrix.

        Returns:
            The name of a float32 tensor with groups * columns channels.
        """

    def write(
        self,
        build: GraphBuilder,
        layers: Sequence[Layer],
        multiply: Multiply,
        constants: Constants,
    ) -> list[str]:
        """Write what replaces a node: its products by `multiply`, the rest (such as bias) digitally.

        Args:
            build: takes the nodes.
            layers: the node's products.
            multiply: writes a product.
            constants: of the model.

        Returns:
            A float32 tensor for each of the node's outputs.
        """


OPERATORS: Folder[Operator] = Folder("rxsim.operators", "OPERATOR")
"""The operators by the names of their files."""


def operator_of(node: onnx.NodeProto) -> Operator | None:
    """Return what a node is; None where it does not multiply by weights."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    return _by_type().get((domain, node.op_type))


def user_op(node: onnx.NodeProto) -> str:
    """Return the type that a node had in the user's file, before it was brought to another form."""
    given = (item.value for item in node.metadata_props if item.key == _USER_OP)
    return next(given, str(node.op_type))


def set_user_op(node: onnx.NodeProto, op_type: str) -> None:
    """Remember of which type a node was in the user's file; nothing to do where it still is."""
    for item in [item for item in node.metadata_props if item.key == _USER_OP]:
        node.metadata_props.remove(item)
    if op_type != node.op_type:
        node.metadata_props.add(key=_USER_OP, value=op_type)


def mappable_types() -> list[str]:
    """Return the types of ONNX's own nodes that a crossbar can take, sorted."""
    mapped: Iterable[Operator] = (item for item in OPERATORS.all().values() if item.maps)
    return sorted({op_type for item in mapped for domain, op_type in item.op_types if not domain})


@cache
def _by_type() -> dict[tuple[str, str], Operator]:
    by_type: dict[tuple[str, str], Operator] = {}
    for name, operator in OPERATORS.all().items():
        for op_type in operator.op_types:
            if op_type in by_type:
                raise ValueError(f"operators/{name}.py: {op_type} belongs to another file already")
            by_type[op_type] = operator
    return by_type
