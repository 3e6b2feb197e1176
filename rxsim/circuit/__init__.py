"""The array's circuit: exact transfer matrices with wires, driver, sense and access resistance."""

from rxsim.circuit.compiling import when_compiling
from rxsim.circuit.newton import NonlinearSolution, solve_nonlinear
from rxsim.circuit.operating import OperatingPoint, chord_matrix, full_currents, solve_cells
from rxsim.circuit.solve import ArraySolution, gated, solve_array
from rxsim.circuit.transfer import LayerTransfer, transfer_matrices

__all__ = [
    "ArraySolution",
    "LayerTransfer",
    "NonlinearSolution",
    "OperatingPoint",
    "chord_matrix",
    "full_currents",
    "gated",
    "solve_array",
    "solve_cells",
    "solve_nonlinear",
    "transfer_matrices",
    "when_compiling",
]
