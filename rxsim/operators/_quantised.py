"""Products of quantised operands: products of the floats that they stand for, between conversions.

Weights become (q - zero point) * scale, in float64 and rounded once; activations go through
DequantizeLinear. Where an operator has no scale the floats are whole numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from rxsim.onnx_graph import GraphBuilder, Rewriting, Shape, n_entries
from rxsim.operators import Constants
from rxsim.operators._shared import dims_of
from rxsim.operators._without_products import WithoutProducts


@dataclass(frozen=True, slots=True)
class Operand:
    """Names of an operand's tensors.

    Attributes:
        values: the integers.
        scale: what one step is worth; empty for 1.
        zero_point: the integer that stands for 0; empty for 0.
    """

    values: str
    scale: str = ""
    zero_point: str = ""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Scale and zero point, as far as there are any."""
        return tuple(name for name in (self.scale, self.zero_point) if name)


class QuantisedProduct(WithoutProducts, ABC):
    """An operator that becomes a product of floats where its weights are constant."""

    maps = False  # what it becomes is named where a refusal tells what can be mapped
    weights_first = False
    """Whether the first operand may be the weights."""

    @abstractmethod
    def operands(self, node: onnx.NodeProto) -> tuple[Operand, Operand]:
        """Return the two operands in their order."""

    @abstractmethod
    def channels(self, node: onnx.NodeProto, constants: Constants) -> int:
        """Return the axis of the weights along which a vector of scales or zero points lies."""

    def bias(self, node: onnx.NodeProto) -> str:
        """Return the name of a bias in steps of both scales; empty without one."""
        return ""

    @abstractmethod
    def rewrite(self, node: onnx.NodeProto, graph: Rewriting, build: GraphBuilder) -> None:
        """Write the nodes that replace a node that `why_not` has nothing against."""

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Dequantise the operands, multiply, and quantise the result as the node does."""
        if self.why_not(node, graph.constants):
            return [node]
        build = graph.builder(node.name or node.output[0])
        self.rewrite(node, graph, build)
        return graph.finish(build)

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Take constant weights with constant parameters; activations with a single scale."""
        activations, weights = self.operands(node)
        if self.is_turned(node, constants):
            activations, weights = weights, activations
        if weights.values not in constants:
            return "product of two activations"
        if activations.values in constants:
            return "both of its operands are constant"
        if 0 in constants[weights.values].dims:
            return "its weights are empty"
        if any(name not in constants for name in weights.parameters):
            return "the scale or zero point of its weights is computed"
        sizes = [n_entries(dims_of(constants.get(name))) for name in activations.parameters]
        if any(size not in (None, 1) for size in sizes):
            return "its activations have more than one scale or zero point"
        shape, axis = dims_of(constants[weights.values]) or (), self.channels(node, constants)
        for name in (*weights.parameters, self.bias(node)):
            given = dims_of(constants.get(name)) or ()
            if not _fits(given, shape, axis):
                return (
                    f"its weights of shape {list(shape)} do not fit {name} of shape {list(given)}"
                )
        return ""

    def is_turned(self, node: onnx.NodeProto, constants: Constants) -> bool:
        """Tell whether the first operand holds the weights."""
        first, second = (operand.values in constants for operand in self.operands(node))
        return self.weights_first and first and not second


def matrix_macs(left: Shape | None, right: Shape | None) -> int | None:
    """Count the terms of a matrix product of two tensors, as numpy's matmul takes them."""
    if not left or not right or n_entries(left) is None or n_entries(right) is None:
        return None
    sizes = [[int(axis or 0) for axis in shape] for shape in (left, right)]
    first = sizes[0] if len(left) > 1 else [1, *sizes[0]]
    second = sizes[1] if len(right) > 1 else [*sizes[1], 1]
    batch = np.broadcast_shapes(tuple(first[:-2]), tuple(second[:-2]))
    return int(np.prod([*batch, *first[-2:], second[-1]], dtype=np.int64))


def dequantised_weights(
    graph: Rewriting, operand: Operand, axis: int, dtype: np.dtype | None = None
) -> np.ndarray:
    """Return the floats that constant weights stand for.

    Args:
        graph: holds the constants.
        operand: the weights.
        axis: along which a vector of scales or zero points lies.
        dtype: of the result; that of the scale where left out, float32 without one.
    """
    values = _value(graph, operand.values)
    result = values.astype(np.float64)
    if operand.zero_point:
        result -= _along(_value(graph, operand.zero_point).astype(np.float64), result.ndim, axis)
    scale = np.ones((), np.float32)
    if operand.scale:
        scale = _value(graph, operand.scale)
        result *= _along(scale.astype(np.float64), result.ndim, axis)
    return result.astype(scale.dtype if dtype is None else dtype)


def dequantise(
    build: GraphBuilder, graph: Rewriting, operand: Operand, *, by_arithmetic: bool = False
) -> str:
    """Write the floats that activations of a single scale stand for; return their tensor.

    Args:
        build: takes the nodes.
        graph: holds the constants.
        operand: the activations.
        by_arithmetic: by Cast, Sub and Mul, where a Transpose follows: onnxruntime 1.32 moves a
            DequantizeLinear of int8 across it, and then finds its types wrong.
    """
    scale = _scalar(build, graph, operand.scale) if operand.scale else build.scalar("unit", 1.0)
    zero_point = [_scalar(build, graph, operand.zero_point)] if operand.zero_point else []
    kind = graph.element_type(operand.scale) if operand.scale else 0
    kind = kind or onnx.TensorProto.FLOAT
    if by_arithmetic:
        floats = build.add("Cast", [operand.values], "steps", to=kind)
        for name in zero_point:
            zero = build.add("Cast", [name], "zero_point", to=kind)
            floats = build.add("Sub", [floats, zero], "steps_from_zero")
        floats = build.add("Mul", [floats, scale], "input")
    else:
        floats = build.add("DequantizeLinear", [operand.values, scale, *zero_point], "input")
    graph.note(floats, kind, graph.shape(operand.values))
    return floats


def transpose(
    build: GraphBuilder, graph: Rewriting, integers: str, axes: list[int], part: str
) -> str:
    """Write integers with their axes in another order."""
    turned = build.add("Transpose", [integers], part, perm=axes)
    shape = graph.shape(integers)
    order = None if shape is None else tuple(shape[axis] for axis in axes)
    graph.note(turned, graph.element_type(integers), order)
    return turned


def quantise(
    build: GraphBuilder, graph: Rewriting, floats: str, operand: Operand, output: str
) -> None:
    """Write the integers of a result of a single scale, ties to even.

    Args:
        build: takes the nodes.
        graph: holds the constants.
        floats: the result.
        operand: its scale and zero point.
        output: name of the integers.
    """
    parameters = [_scalar(build, graph, name) for name in operand.parameters]
    build.add("QuantizeLinear", [floats, *parameters], "quantised", output)


def whole_result(build: GraphBuilder, graph: Rewriting, floats: str, output: str) -> None:
    """Give whole numbers as int32; as they are where whoever reads them wants floats."""
    if graph.is_read_as_float(output):
        graph.change_type(output, onnx.TensorProto.FLOAT)
        build.give(floats, output)
        return
    rounded = build.add("Round", [floats], "rounded")
    build.add("Cast", [rounded], "whole", output, to=onnx.TensorProto.INT32)


def scaled_bias(
    build: GraphBuilder,
    graph: Rewriting,
    bias: str,
    input_scale: str,
    weight_scale: np.ndarray,
    dtype: np.dtype,
) -> str:
    """Return the floats of an int32 bias, in steps of the input's scale times the weights'.

    Args:
        build: takes the nodes.
        graph: holds the constants.
        bias: the integers.
        input_scale: the activations' scale, constant or not.
        weight_scale: the weights', float64, of a shape that spreads over the bias.
        dtype: of the floats.
    """
    stored, scale = graph.value(bias), graph.value(input_scale)
    if stored is None:
        floats = build.add("Cast", [bias], "bias_float", to=helper.np_dtype_to_tensor_dtype(dtype))
        factor = build.constant("bias_step", weight_scale.astype(dtype))
        floats = build.add("Mul", [floats, factor], "bias_in_steps")
    else:
        value = stored.astype(np.float64) * weight_scale
        if scale is not None:
            value = value * scale.astype(np.float64).reshape(())
            return build.constant("bias", value.astype(dtype))
        floats = build.constant("bias_in_steps", value.astype(dtype))
    return build.add("Mul", [floats, _scalar(build, graph, input_scale)], "bias")


def _value(graph: Rewriting, name: str) -> np.ndarray:
    value = graph.value(name)
    assert value is not None  # `why_not` has asked
    return value


def _fits(given: tuple[int, ...], weights: tuple[int, ...], axis: int) -> bool:
    """Tell whether a scale, a zero point or a bias spreads over weights as `_along` lets it."""
    if n_entries(given) == 1:
        return True
    if len(given) == 1:
        return -len(weights) <= axis < len(weights) and given[0] == weights[axis]
    if len(given) > len(weights):
        return False
    pairs = zip(given[::-1], weights[::-1], strict=False)
    return all(length in (1, held) for length, held in pairs)


def _along(values: np.ndarray, n_axes: int, axis: int) -> np.ndarray:
    """Let a single value or a vector spread over a tensor; what has more axes does already."""
    if values.size == 1:
        return values.reshape(())
    if values.ndim > 1:
        return values
    shape = [1] * n_axes
    shape[axis] = -1
    return values.reshape(shape)


def _scalar(build: GraphBuilder, graph: Rewriting, name: str) -> str:
    """Return a tensor of one value without axes."""
    value = graph.value(name)
    if value is not None:
        return name if value.ndim == 0 else build.constant("scalar", value.reshape(()))
    if graph.shape(name) in (None, ()):
        return name
    return build.add("Reshape", [name, build.constant("no_axes", np.empty(0, np.int64))], "scalar")
