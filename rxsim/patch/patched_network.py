"""The patched network: every analog layer's node replaced, all else as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx

from rxsim.mapped_files import let_go
from rxsim.memory import give_back
from rxsim.onnx_graph import (
    constants,
    copy_fields,
    drop_unused_constants,
    inner_graphs,
    is_heavy,
    taken_names,
    use_counts,
)
from rxsim.patch.hardware import LayerHardware
from rxsim.patch.input_nodes import InputNodes
from rxsim.patch.layer_nodes import add_layer
from rxsim.patch.node import NodePatch, WriteProduct, patch_node
from rxsim.spilled import Spill, constants_aside


@dataclass(frozen=True, slots=True, eq=False)
class LayerTaps:
    """Where a layer's converters can be watched.

    Attributes:
        currents: name of each conversion's current before its ADC: in LSB, or in ampere where open;
            empty where the conversions are not kept apart.
        adc_bounds: for each conversion the smallest and the largest code of its ADCs; None where
            there is no converter.
        input_bounds: activations from which on its DACs saturate, below and above; None likewise.
        present: which channels of each conversion's currents belong to columns that exist, bool
            (conversions, channels); None where all do.
    """

    currents: tuple[str, ...]
    adc_bounds: tuple[tuple[int, int], ...] | None
    input_bounds: tuple[float, float] | None
    present: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PatchedNetwork:
    """A network in which crossbars do the products.

    Attributes:
        model: standard ONNX; inputs and outputs are those of the user's model.
        taps: for each analog layer where to watch its converters.
        held: the file that the model's large constants lie in: gone with this; None for none.
    """

    model: onnx.ModelProto
    taps: Mapping[str, LayerTaps]
    held: Spill | None = None


@dataclass(frozen=True, slots=True, eq=False)
class NetworkBeside:
    """The float network with the products of crossbars beside those of its layers.

    Every array sees what the float network brings to its layer.

    Attributes:
        model: the network; the crossbars' products lead nowhere.
        products: names of each layer's products on arrays, decoded, before bias and activation.
        held: files that the model's large constants lie in: they are gone with this.
    """

    model: onnx.ModelProto
    products: Mapping[str, tuple[str, ...]]
    held: tuple[Spill | None, ...] = ()


def patch_network(
    model: onnx.ModelProto,
    layers: Sequence[LayerHardware],
    *,
    split: bool = False,
    beside: bool = False,
    write: WriteProduct | None = None,
) -> PatchedNetwork:
    """Replace the node of each given layer.

    Args:
        model: the normalised float network; left as it is.
        layers: the analog layers; the others stay digital.
        split: keep conversions apart even where there is no ADC, their currents in ampere.
        beside: leave the nodes as they are, and write the products beside them, to be watched.
        write: writes the product of each layer; None: as its hardware computes it.
    """
    write = partial(add_layer, split=split) if write is None else write
    if is_heavy(model):
        give_back()
    with constants_aside(_values(layers)) as held:
        patched, patches = _with_patches(model, layers, write, beside=beside)
    drop_unused_constants(patched)
    patched.producer_name = "rxsim"
    taps = {
        hardware.layer.name: _taps(hardware, patch.currents[hardware.layer.name])
        for patch, analog in patches
        for hardware in analog
    }
    return PatchedNetwork(patched, taps, held)


def patch_beside(
    model: onnx.ModelProto, layers: Sequence[LayerHardware], write: WriteProduct | None = None
) -> NetworkBeside:
    """Write the products of crossbars beside the nodes of a network, which stays as it is.

    Args:
        model: the normalised float network; left as it is.
        layers: the analog layers.
        write: writes the product of each layer; None: as its hardware computes it.
    """
    write = partial(add_layer, split=False) if write is None else write
    with constants_aside(_values(layers)) as held:
        network, patches = _with_patches(model, layers, write, beside=True)
    products = {name: names for patch, _ in patches for name, names in patch.products.items()}
    return NetworkBeside(network, products, (held,))


def _values(layers: Sequence[LayerHardware]) -> int:
    """Return how many values the matrices of layers have."""
    return sum(matrix.size for hardware in layers for matrix in hardware.matrices)


def _with_patches(
    model: onnx.ModelProto,
    layers: Sequence[LayerHardware],
    write_product: WriteProduct,
    *,
    beside: bool,
) -> tuple[onnx.ModelProto, list[tuple[NodePatch, list[LayerHardware]]]]:
    """Copy a network and write the patch of each node with analog layers, in its place or behind it.

    The weights that patches replace are never copied: protobuf would not give their memory back.
    """
    patched = onnx.ModelProto()
    copy_fields(model, patched, "graph")
    copy_fields(model.graph, patched.graph, "initializer")
    known = constants(model)
    taken = taken_names(model)
    by_node: dict[str, list[LayerHardware]] = {}
    for hardware in layers:
        by_node.setdefault(hardware.layer.node.name, []).append(hardware)
    patches: list[tuple[NodePatch, list[LayerHardware]]] = []

    def write(graph: onnx.GraphProto, inputs: InputNodes) -> None:
        nodes: list[onnx.NodeProto] = []
        for node in graph.node:
            for inner in inner_graphs(node):
                write(inner, inputs.inside())
            analog = by_node.get(node.name)
            if analog is None or beside:
                nodes.append(node)
            if analog is not None:
                patch = patch_node(analog, known, taken, inputs, write_product, beside=beside)
                for hardware in analog:  # what was read of them
                    let_go(*hardware.matrices, hardware.layer.matrices)
                nodes.extend(patch.nodes)
                patches.append((patch, analog))
        del graph.node[:]
        graph.node.extend(nodes)

    write(patched.graph, InputNodes())
    used = use_counts(patched)
    for tensor in model.graph.initializer:
        if beside or used[tensor.name]:
            patched.graph.initializer.append(tensor)
    for patch, _ in patches:
        while patch.constants:  # each is copied into the network, and gone
            patched.graph.initializer.append(patch.constants.pop(0))
    return patched, patches


def _taps(hardware: LayerHardware, currents: tuple[str, ...]) -> LayerTaps:
    dac, adc = hardware.input_plan.dac, hardware.adc
    bounds = None
    if dac.low is not None and dac.high is not None:
        # Half a code beyond the last one rounds to it, or (an odd code) away from it.
        bounds = ((dac.low - 0.5) / dac.code_per_x, (dac.high + 0.5) / dac.code_per_x)
    codes = None
    if adc is not None:
        codes = tuple((int(low), int(high)) for low, high in zip(adc.low, adc.high, strict=True))
    present = np.tile(hardware.converted, (len(hardware.input_plan.passes), 1, 1))
    present = present.reshape(len(present), -1)
    return LayerTaps(currents, codes, bounds, None if present.all() else present)
