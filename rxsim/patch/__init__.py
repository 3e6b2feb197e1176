"""Transfer matrices and converters -> the patched network, in standard ONNX operators."""

from rxsim.patch.hardware import LayerHardware, layer_hardware
from rxsim.patch.patched_network import LayerTaps, PatchedNetwork, patch_network

__all__ = [
    "LayerHardware",
    "LayerTaps",
    "PatchedNetwork",
    "layer_hardware",
    "patch_network",
]
