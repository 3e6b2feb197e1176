"""The path of a layer's arrays: target -> compensate -> program -> solve -> gather."""

from rxsim.tiles.design import DESIGN, LayerDesign, design_layer, deviation_of_design
from rxsim.tiles.effective_matrix import OperatingPoint, array_matrix, has_circuit, is_linear
from rxsim.tiles.expense import array_bytes, layer_seconds
from rxsim.tiles.identity import TILES, identity_of_arrays
from rxsim.tiles.program import ProgrammedArray, program_array
from rxsim.tiles.transfer import LayerTransfer, transfer_matrices

__all__ = [
    "DESIGN",
    "TILES",
    "LayerDesign",
    "LayerTransfer",
    "OperatingPoint",
    "ProgrammedArray",
    "array_bytes",
    "array_matrix",
    "design_layer",
    "deviation_of_design",
    "has_circuit",
    "identity_of_arrays",
    "is_linear",
    "layer_seconds",
    "program_array",
    "transfer_matrices",
]
