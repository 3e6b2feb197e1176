"""Transfer matrices and converters -> the patched network, in standard ONNX operators."""

from rxsim.patch.hardware import LayerHardware, layer_hardware
from rxsim.patch.layer_nodes import add_layer
from rxsim.patch.node import WriteProduct, add_digital
from rxsim.patch.partial_sums import PartialSumsBeside, patch_partial_sums
from rxsim.patch.patched_network import (
    LayerTaps,
    NetworkBeside,
    PatchedNetwork,
    patch_beside,
    patch_network,
)

__all__ = [
    "LayerHardware",
    "LayerTaps",
    "NetworkBeside",
    "PartialSumsBeside",
    "PatchedNetwork",
    "WriteProduct",
    "add_digital",
    "add_layer",
    "layer_hardware",
    "patch_beside",
    "patch_network",
    "patch_partial_sums",
]
