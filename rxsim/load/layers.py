"""Find the layers whose weights a crossbar can hold: Conv, Gemm and MatMul with a constant."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from rxsim.errors import ModelError
from rxsim.load.graph import attributes, constants

MATRIX_OPS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
# Assumption: trained weights stay far below; products with activations and volts then fit in float32.
_LARGEST = 1e20
_FLOATS = (onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer that can be mapped.

    Attributes:
        name: its node's name in the user's file, else the node's first output.
        index: its place among all mappable layers in topological order.
        op: Conv, Gemm or MatMul.
        node: its node in the normalised graph.
        matrices: weights as groups x K x N; `alpha` included.
        dtype: the model's own float type of this layer's tensors.
        kernel: shape of a Conv's kernel; () for matrix products.
    """

    name: str
    index: int
    op: str
    node: onnx.NodeProto
    matrices: np.ndarray
    dtype: np.dtype
    kernel: tuple[int, ...]

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
    def input(self) -> str:
        """Name of the tensor that drives the wordlines."""
        return str(self.node.input[0])

    @property
    def output(self) -> str:
        """Name of the layer's result, bias included, before any activation."""
        return str(self.node.output[0])


def find_layers(model: onnx.ModelProto) -> tuple[list[Layer], dict[str, str]]:
    """List the mappable layers, and say why other matrix products are not.

    Returns:
        The layers in topological order, and for the names of matrix nodes left digital the reason.

    Raises:
        ModelError: a mappable layer's weights hold NaN, infinity or numbers beyond use.
    """
    known = constants(model)
    layers: list[Layer] = []
    declined: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type not in MATRIX_OPS or node.domain not in ("", "ai.onnx"):
            continue
        reason = _why_not(node, known)
        if reason:
            declined[node.name] = reason
            continue
        stored = numpy_helper.to_array(known[node.input[1]])
        _check_weights(node.name, stored)
        kernel = tuple(stored.shape[2:]) if node.op_type == "Conv" else ()
        matrices = _matrices(node, stored)
        layers.append(
            Layer(node.name, len(layers), node.op_type, node, matrices, stored.dtype, kernel)
        )
    return layers, declined


def _check_weights(name: str, stored: np.ndarray) -> None:
    # NaN and infinity come through; looking for the two ends makes no copy of the weights.
    largest = max(float(stored.max()), -float(stored.min()))
    if not math.isfinite(largest):
        raise ModelError(
            f"layer {name}: its weights hold NaN or infinity, expected finite numbers; train or "
            "export the model again"
        )
    if largest > _LARGEST:
        raise ModelError(
            f"layer {name}: its weights reach {largest:.3g}, expected at most {_LARGEST:g} (a product "
            "overflows float32); train or export the model again"
        )


def _why_not(node: onnx.NodeProto, known: dict[str, onnx.TensorProto]) -> str:
    """Return why a matrix node can't be mapped, or an empty text if it can."""
    if node.op_type == "ConvTranspose":
        return "transposed convolution: not mapped yet"
    if node.input[0] in known:
        return _why_not_left(node, known[node.input[0]])
    weight = known.get(node.input[1])
    if weight is None:
        return "product of two activations"
    if node.op_type == "MatMul" and len(weight.dims) != 2:
        return f"its constant has {len(weight.dims)} axes, not 2"
    if 0 in weight.dims:
        return "its weights are empty"
    if weight.data_type not in _FLOATS:
        return "its weights are not floating point"
    return ""


def _why_not_left(node: onnx.NodeProto, left: onnx.TensorProto) -> str:
    """Return why a product whose left operand is constant was not turned round."""
    if node.op_type == "Conv":
        return "its input is constant and its weights are not"
    if len(left.dims) != 2:
        return f"its left operand is a constant of {len(left.dims)} axes, not 2"
    return "its left operand is constant and its right one is a vector or has an unknown rank"


def _matrices(node: onnx.NodeProto, stored: np.ndarray) -> np.ndarray:
    """Arrange stored weights as groups x K x N (MODEL.md section 2: channel first, then kernel)."""
    given = attributes(node)
    if node.op_type == "Conv":
        groups = int(given.get("group", 1))
        per_group = stored.reshape(groups, stored.shape[0] // groups, -1)
        return per_group.transpose(0, 2, 1)
    matrix = stored.T if node.op_type == "Gemm" and given.get("transB", 0) else stored
    alpha = given.get("alpha", 1.0) if node.op_type == "Gemm" else 1.0
    if alpha != 1.0:
        matrix = matrix.astype(np.float64) * alpha
    return matrix[np.newaxis]
