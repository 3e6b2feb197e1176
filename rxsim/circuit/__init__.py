"""The array's circuit: exact transfer matrices with wires, driver, sense and access resistance."""

from rxsim.circuit.compiling import when_compiling
from rxsim.circuit.newton import NonlinearSolution, solve_nonlinear
from rxsim.circuit.solve import ArraySolution, gated, solve_array
from rxsim.circuit.transfer import LayerTransfer, transfer_matrices

__all__ = [
    "ArraySolution",
    "LayerTransfer",
    "NonlinearSolution",
    "gated",
    "solve_array",
    "solve_nonlinear",
    "transfer_matrices",
    "when_compiling",
]
