"""Where a layer's weights and bias lie in the normalised graph."""

from __future__ import annotations

import math

import onnx

from rxsim.errors import ModelError
from rxsim.load import Layer, Network
from rxsim.onnx_graph import all_nodes, constants, use_counts

_PASSED = {"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Cast"}


def weight_name(layer: Layer) -> str:
    """Return the initialiser of the normalised graph that holds a layer's weights."""
    return str(layer.node.input[1])


def bias_name(model: onnx.ModelProto, layer: Layer) -> str:
    """Return the initialiser that holds a layer's bias; empty where it has none.

    Args:
        model: the normalised graph.
        layer: the layer. Of a MatMul, and of a product that was turned around, the bias is what the
            Add behind it adds to each channel.
    """
    return bias_names(model, [layer])[layer.name]


def bias_names(model: onnx.ModelProto, layers: list[Layer]) -> dict[str, str]:
    """Return `bias_name` of several layers by their names."""
    known, uses = constants(model), use_counts(model)
    readers = {name: node for node in all_nodes(model.graph) for name in node.input if name}
    named = {}
    for layer in layers:
        inputs = layer.node.input
        if len(inputs) > 2 and inputs[2]:
            named[layer.name] = inputs[2] if inputs[2] in known else ""
            continue
        named[layer.name] = ""
        tensor = layer.node.output[0]
        while uses[tensor] == 1 and tensor in readers:
            reader = readers[tensor]
            others = [name for name in reader.input if name != tensor]
            if reader.op_type in ("Add", "Sub"):
                held = known.get(others[0]) if others else None
                if held is not None and math.prod(held.dims) == layer.n_channels:
                    named[layer.name] = held.name
                break
            if reader.op_type not in _PASSED:
                break
            tensor = reader.output[0]
    return named


def check_main_graph(network: Network) -> None:
    """Refuse layers in bodies of loops and branches, and products without weights of their own.

    Raises:
        ModelError: naming the layer.
    """
    stored = constants(network.model)
    nodes = {node.name for node in network.model.graph.node}
    for layer in network.layers:
        if layer.node.name not in nodes or weight_name(layer) not in stored:
            raise ModelError(
                f"layer {layer.name}: it lies in a body of a loop or a branch, expected products with "
                "weights in the main graph: others can't be trained through; export the network "
                "without loops"
            )
