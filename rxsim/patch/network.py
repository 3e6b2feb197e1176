"""The patched network: every analog layer's node replaced, all else as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx

from rxsim.converters import Dac
from rxsim.load.graph import constants, drop_unused_constants, taken_names
from rxsim.patch.hardware import LayerHardware
from rxsim.patch.layer import LayerPatch, patch_layer


@dataclass(frozen=True, slots=True, eq=False)
class PatchedNetwork:
    """A network in which crossbars do the products.

    Attributes:
        model: standard ONNX; inputs and outputs are those of the user's model.
        currents: for each analog layer the name of each conversion's current before its ADC.
    """

    model: onnx.ModelProto
    currents: Mapping[str, tuple[str, ...]]


def patch_network(
    model: onnx.ModelProto, layers: Sequence[LayerHardware], *, split: bool = False
) -> PatchedNetwork:
    """Replace the node of each given layer.

    Args:
        model: the normalised float network; left as it is.
        layers: the analog layers; the others stay digital.
        split: keep conversions apart even where there is no ADC, their currents in ampere.
    """
    patched = onnx.ModelProto()
    patched.CopyFrom(model)
    known = constants(patched)
    taken = taken_names(patched)
    by_node = {hardware.layer.name: hardware for hardware in layers}
    codes: dict[tuple[str, Dac], str] = {}
    patches: dict[str, LayerPatch] = {}
    nodes: list[onnx.NodeProto] = []
    for node in patched.graph.node:
        hardware = by_node.get(node.name)
        if hardware is None:
            nodes.append(node)
            continue
        patch = patch_layer(hardware, known, taken, codes, split=split)
        patches[node.name] = patch
        nodes.extend(patch.nodes)
    del patched.graph.node[:]
    patched.graph.node.extend(nodes)
    for patch in patches.values():
        patched.graph.initializer.extend(patch.constants)
    drop_unused_constants(patched)
    patched.producer_name = "rxsim"
    return PatchedNetwork(patched, {name: patch.currents for name, patch in patches.items()})
