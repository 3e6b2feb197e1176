"""The partial sums of layers, through their arrays and as the float weights give them, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from rxsim.mapping import block_weights
from rxsim.onnx_graph import GraphBuilder
from rxsim.patch.corrections import add_digital_product
from rxsim.patch.decode import cut_surplus
from rxsim.patch.hardware import LayerHardware
from rxsim.patch.input_nodes import InputNodes
from rxsim.patch.layer_nodes import add_layer
from rxsim.patch.patched_network import patch_beside
from rxsim.spilled import Spill


@dataclass(frozen=True, slots=True)
class PartialSumNames:
    """Tensors of one product of a layer.

    Attributes:
        measured: for each row tile what its arrays give, converted and decoded.
        wanted: for each row tile the product of the float weights' rows and the float input, less what
            is computed digitally besides.
        total: sum of the wanted ones.
    """

    measured: tuple[str, ...]
    wanted: tuple[str, ...]
    total: str


@dataclass(frozen=True, slots=True, eq=False)
class PartialSumsBeside:
    """The float network with the partial sums of crossbars beside its layers.

    Attributes:
        model: the network; the partial sums lead nowhere.
        names: of each layer's products, one for each time that it occurs, by layer name.
        held: files that the model's large constants lie in: they are gone with this.
    """

    model: onnx.ModelProto
    names: Mapping[str, Sequence[PartialSumNames]]
    held: tuple[Spill | None, ...] = ()


def patch_partial_sums(
    model: onnx.ModelProto, layers: Sequence[LayerHardware]
) -> PartialSumsBeside:
    """Write every partial sum beside the node of its layer, through the nodes that layers have.

    Args:
        model: the normalised float network; left as it is.
        layers: the analog layers; each row tile whose currents are converted by themselves has a
            partial sum.
    """
    names: dict[str, list[PartialSumNames]] = {layer.layer.name: [] for layer in layers}

    def write(
        build: GraphBuilder, hardware: LayerHardware, source: str, inputs: InputNodes
    ) -> tuple[str, tuple[str, ...]]:
        tiles = range(len(hardware.rows))
        measured = tuple(
            add_layer(build, hardware.tile(p), source, inputs, split=False)[0] for p in tiles
        )
        wanted = _add_wanted(build, hardware, source, inputs)
        total = build.add("Sum", list(wanted), "wanted_total") if len(wanted) > 1 else wanted[0]
        names[hardware.layer.name].append(PartialSumNames(measured, wanted, total))
        return measured[0], ()

    network = patch_beside(model, layers, write)
    return PartialSumsBeside(network.model, names, network.held)


def _add_wanted(
    build: GraphBuilder, hardware: LayerHardware, source: str, inputs: InputNodes
) -> tuple[str, ...]:
    """Write the products of each row tile's float weights, less those that are computed digitally."""
    layer, blocks, exact = hardware.layer, _float_blocks(hardware), source
    if layer.dtype != np.float32:
        exact = build.add("Cast", [source], "wanted_input", to=TensorProto.FLOAT)
    wanted = []
    for p, rows in enumerate(hardware.rows):
        product = hardware.add_product(build, exact, rows, blocks[:, rows], f"wanted_{p}")
        product = cut_surplus(build, hardware, product)
        if hardware.digital is not None:
            known = add_digital_product(build, hardware, source, inputs, rows, f"digital_part_{p}")
            product = build.add("Sub", [product, known], f"analog_{p}")
        wanted.append(product)
    return tuple(wanted)


def _float_blocks(hardware: LayerHardware) -> np.ndarray:
    """Lay out the float weights in blocks, float64 (groups, K, N) of the tiling."""
    tiling, layer = hardware.tiling, hardware.layer
    rows, outputs = np.arange(tiling.n_inputs), np.arange(tiling.n_outputs)
    return np.stack(
        [
            block_weights(layer, block, tiling.packed, rows, outputs)[0]
            for block in range(tiling.groups)
        ]
    )
