"""The path of a layer's arrays: target -> compensate -> program -> solve -> gather."""

from rxsim.config import Reads
from rxsim.tiles.effective_matrix import OperatingPoint, array_matrix, has_circuit, is_linear
from rxsim.tiles.expense import array_bytes, layer_seconds
from rxsim.tiles.program import ProgrammedArray, program_array
from rxsim.tiles.transfer import LayerTransfer, transfer_matrices

TILES = Reads(("crossbar", "device", "mapping", "compensate"))
"""What a layer's transfer matrices follow from, besides its weights and the chip."""

__all__ = [
    "TILES",
    "LayerTransfer",
    "OperatingPoint",
    "ProgrammedArray",
    "array_bytes",
    "array_matrix",
    "has_circuit",
    "is_linear",
    "layer_seconds",
    "program_array",
    "transfer_matrices",
]
