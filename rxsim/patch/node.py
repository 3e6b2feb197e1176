"""The patch of a node: its products on arrays, the rest of what it computes in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from rxsim.load.layers import layers_of
from rxsim.onnx_graph import GraphBuilder
from rxsim.operators import Layer, MatrixPart
from rxsim.patch.hardware import LayerHardware
from rxsim.patch.input_nodes import InputNodes

WriteProduct = Callable[[GraphBuilder, LayerHardware, str, InputNodes], tuple[str, tuple[str, ...]]]
"""`write(build, hardware, source, inputs)`: the product of a tensor, as `add_layer` writes it."""


@dataclass(frozen=True, slots=True, eq=False)
class NodePatch:
    """What replaces a node.

    Attributes:
        nodes: in order; they make the node's outputs.
        constants: what they read.
        currents: by layer, name of each conversion's current before its ADC (in LSB; ampere where
            open); empty where the conversions are not kept apart.
        products: by layer, names of its decoded products, before bias and activation.
    """

    nodes: list[onnx.NodeProto]
    constants: list[onnx.TensorProto]
    currents: Mapping[str, tuple[str, ...]]
    products: Mapping[str, tuple[str, ...]]


def patch_node(
    analog: Sequence[LayerHardware],
    known: Mapping[str, onnx.TensorProto],
    taken: set[str],
    inputs: InputNodes,
    write: WriteProduct,
    *,
    beside: bool = False,
) -> NodePatch:
    """Write the nodes that replace a node.

    Args:
        analog: its products on their arrays; those that are left digital are written in float32.
        known: the graph's constants by name.
        taken: names in use; extended.
        inputs: tensors of codes and units that the graph has already; extended.
        write: writes the product of a layer on its arrays.
        beside: write only the products of the arrays, beside the node, which stays.
    """
    by_name = {hardware.layer.name: hardware for hardware in analog}
    layers = _layers(analog, known)
    node = layers[0].node
    build = GraphBuilder(node.name, taken)
    currents: dict[str, tuple[str, ...]] = dict.fromkeys(by_name, ())
    products: dict[str, tuple[str, ...]] = dict.fromkeys(by_name, ())

    def multiply(into: GraphBuilder, layer: Layer, source: str) -> str:
        if layer.name not in by_name:
            return add_digital(into, layer, source)
        total, watched = write(into, by_name[layer.name], source, inputs)
        currents[layer.name] += watched
        products[layer.name] += (total,)
        return total

    results = layers[0].operator.write(build, layers, multiply, known)
    dtype = layers[0].dtype
    for result, output in () if beside else zip(results, node.output, strict=True):
        if dtype == np.float32:
            build.give(result, output)
        else:
            to = int(helper.np_dtype_to_tensor_dtype(dtype))
            build.add("Cast", [result], "result", output, to=to)
    return NodePatch(build.nodes, build.constants, currents, products)


def _layers(analog: Sequence[LayerHardware], known: Mapping[str, onnx.TensorProto]) -> list[Layer]:
    """Return all products of a node, also those that the settings leave digital."""
    given = {hardware.layer.name: hardware.layer for hardware in analog}
    first = analog[0].layer
    if first.name == first.node.name:  # its only product
        return [first]
    every = layers_of(first.node, first.operator, known, 0)
    return [given.get(layer.name, layer) for layer in every]


def add_digital(build: GraphBuilder, layer: Layer, source: str) -> str:
    """Write a product in float32, of the weights as they are."""
    if layer.dtype != np.float32:
        source = build.add("Cast", [source], f"{layer.name}_input", to=onnx.TensorProto.FLOAT)
    whole = MatrixPart(
        name=f"{layer.name}_digital",
        groups=layer.groups,
        n_inputs=layer.n_inputs,
        rows=np.arange(layer.n_inputs),
        matrix=layer.matrices.astype(np.float64),
    )
    return layer.operator.add_product(build, layer, source, whole)
