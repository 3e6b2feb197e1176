"""Transfer matrices and converters -> the patched network, in standard ONNX operators."""

from rxsim.patch.hardware import LayerHardware, layer_hardware
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
    "PatchedNetwork",
    "layer_hardware",
    "patch_beside",
    "patch_network",
]
