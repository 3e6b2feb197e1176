"""The layers of a graph on crossbars: Conv, ConvTranspose, Gemm, MatMul with constant weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from twin.arrays import Floats, Tensor
from twin.geometry import Geometry, Overlap
from twin.graph import Graph, attributes


@dataclass(frozen=True)
class Product:
    """A layer without any crossbar.

    Attributes:
        name: The layer's name.
        index: Number among the mappable layers, in topological order, digital ones included.
        geometry: How tensors become input vectors and back.
        weights: Weights of each group, shape (G, K, N), rows in channel-major order.
        bias: Digital bias, broadcastable to the output tensor.
        input: Name of the layer's input tensor.
        output: Name of its output tensor.
    """

    name: str
    index: int
    geometry: Geometry
    weights: Floats
    bias: Floats
    input: str
    output: str

    def exact(self, x: Floats) -> Floats:
        """Return the float64 output for an input tensor."""
        vectors, lead = self.geometry.vectors(self.geometry.before(x))
        groups = range(self.weights.shape[0])
        y = np.stack([vectors[:, g] @ self.weights[g] for g in groups], axis=1)
        return self.geometry.tensor(y, lead) + self.bias


def find_products(graph: Graph) -> dict[str, Product]:
    """Return the mappable layers of a graph by name, in topological order."""
    products: dict[str, Product] = {}
    for node in graph.nodes:
        if node.op_type in ("LSTM", "GRU", "RNN"):
            raise ValueError(f"{node.op_type} is outside of the twin's subset")
        make = _MAKERS.get(node.op_type)
        if make is None or node.input[1] not in graph.constants:
            continue
        if node.op_type == "MatMul" and graph.constants[node.input[1]].ndim != 2:
            make = _batched
        if node.name in products:
            raise ValueError(f"two layers are named {node.name!r}")
        products[node.name] = make(node, graph.constants, len(products))
    return products


def _convolution(node: onnx.NodeProto, constants: dict[str, Tensor], index: int) -> Product:
    """Return the layer of a Conv node."""
    weight, given = constants[node.input[1]], attributes(node)
    groups, axes = given.get("group", 1), weight.ndim - 2
    outputs = weight.shape[0] // groups
    geometry = Geometry(
        is_conv=True,
        groups=groups,
        kernel=weight.shape[2:],
        strides=tuple(given.get("strides", (1,) * axes)),
        dilations=tuple(given.get("dilations", (1,) * axes)),
        pads=tuple(given.get("pads", (0,) * 2 * axes)),
        auto_pad=given.get("auto_pad", b"NOTSET").decode(),
    )
    matrices = [weight[g * outputs : (g + 1) * outputs] for g in range(groups)]
    weights = np.stack([w.reshape(outputs, -1).T for w in matrices])
    bias: Floats = np.zeros(weight.shape[0])
    if len(node.input) > 2 and node.input[2]:
        bias = constants[node.input[2]]
    bias = bias.reshape(-1, *(1,) * axes)
    return Product(node.name, index, geometry, weights, bias, node.input[0], node.output[0])


def _dense(node: onnx.NodeProto, constants: dict[str, Tensor], index: int) -> Product:
    """Return the layer of a Gemm node or of a MatMul node with a constant right operand."""
    weight, given = constants[node.input[1]], attributes(node)
    if given.get("transA", 0) or any(name not in constants for name in node.input[2:] if name):
        raise ValueError("Gemm with transA or a computed bias is outside of the twin's subset")
    if given.get("transB", 0):
        weight = weight.T
    bias: Floats = np.zeros(1)
    if len(node.input) > 2 and node.input[2]:
        bias = given.get("beta", 1.0) * constants[node.input[2]]
    weights = (given.get("alpha", 1.0) * weight)[None]
    geometry = Geometry(is_conv=False)
    return Product(node.name, index, geometry, weights, bias, node.input[0], node.output[0])


def _transposed(node: onnx.NodeProto, constants: dict[str, Tensor], index: int) -> Product:
    """Return the layer of a ConvTranspose node: every input place gives a whole window."""
    weight, given = constants[node.input[1]], attributes(node)
    groups, axes = given.get("group", 1), weight.ndim - 2
    overlap = Overlap(
        kernel=weight.shape[2:],
        strides=tuple(given.get("strides", (1,) * axes)),
        dilations=tuple(given.get("dilations", (1,) * axes)),
        pads=tuple(given.get("pads", (0,) * 2 * axes)),
        auto_pad=given.get("auto_pad", b"NOTSET").decode(),
        output_padding=tuple(given.get("output_padding", (0,) * axes)),
        output_shape=tuple(given.get("output_shape", ())),
    )
    ones, none = (1,) * axes, (0,) * 2 * axes
    geometry = Geometry(True, groups, ones, ones, ones, none, overlap=overlap)
    inputs = weight.shape[0] // groups
    matrices = [weight[g * inputs : (g + 1) * inputs].reshape(inputs, -1) for g in range(groups)]
    bias: Floats = np.zeros(groups * weight.shape[1])
    if len(node.input) > 2 and node.input[2]:
        bias = constants[node.input[2]]
    bias = bias.reshape(-1, *(1,) * axes)
    names = node.input[0], node.output[0]
    return Product(node.name, index, geometry, np.stack(matrices), bias, *names)


def _batched(node: onnx.NodeProto, constants: dict[str, Tensor], index: int) -> Product:
    """Return the layer of a MatMul node of (B, G, M, K) and a constant (G, K, N)."""
    weight = constants[node.input[1]]
    if weight.ndim != 3 or len(weight) == 1:
        raise ValueError(f"a constant of shape {weight.shape} is outside of the twin's subset")
    geometry = Geometry(True, len(weight), (1,), (1,), (1,), (0, 0), is_batched=True)
    return Product(node.name, index, geometry, weight, np.zeros(1), node.input[0], node.output[0])


_MAKERS = {"Conv": _convolution, "ConvTranspose": _transposed, "Gemm": _dense, "MatMul": _dense}
