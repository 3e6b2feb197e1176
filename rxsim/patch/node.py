"""The patch of one node: its products by arrays, whatever else it computes in float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from rxsim.onnx_graph import GraphBuilder
from rxsim.operators import Layer
from rxsim.patch.drive import DriveNodes
from rxsim.patch.hardware import LayerHardware
from rxsim.patch.layer import add_layer


@dataclass(frozen=True, slots=True, eq=False)
class NodePatch:
    """What replaces a node.

    Attributes:
        nodes: in order; they make the node's outputs.
        constants: what they read.
        currents: by layer, name of each conversion's current before its ADC (in LSB; ampere where
            open); empty where the conversions are not kept apart.
    """

    nodes: list[onnx.NodeProto]
    constants: list[onnx.TensorProto]
    currents: Mapping[str, tuple[str, ...]]


def patch_node(
    analog: Sequence[LayerHardware],
    known: Mapping[str, onnx.TensorProto],
    taken: set[str],
    inputs: DriveNodes,
    *,
    split: bool,
) -> NodePatch:
    """Write the nodes that replace one.

    Args:
        analog: its products on their arrays.
        known: the graph's constants by name.
        taken: names in use; extended.
        inputs: what is in the graph already of what passes drive; extended.
        split: keep the conversions apart (and in ampere) even without ADCs, to measure them.
    """
    layers = [hardware.layer for hardware in analog]
    by_name = {hardware.layer.name: hardware for hardware in analog}
    node = layers[0].node
    build = GraphBuilder(node.name, taken)
    currents: dict[str, tuple[str, ...]] = dict.fromkeys(by_name, ())

    def multiply(layer: Layer, source: str) -> str:
        total, watched = add_layer(build, by_name[layer.name], source, inputs, split=split)
        currents[layer.name] += watched
        return total

    results = layers[0].operator.write(build, layers, multiply, known)
    dtype = layers[0].dtype
    for result, output in zip(results, node.output, strict=True):
        if dtype == np.float32:
            build.give(result, output)
        else:
            to = int(helper.np_dtype_to_tensor_dtype(dtype))
            build.add("Cast", [result], "result", output, to=to)
    return NodePatch(build.nodes, build.constants, currents)
