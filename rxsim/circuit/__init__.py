"""The array's circuit: exact transfer matrices with wires, driver, sense and access resistance."""

from rxsim.circuit.newton import NonlinearSolution, solve_nonlinear
from rxsim.circuit.solve import ArraySolution, solve_array
from rxsim.circuit.transfer import LayerTransfer, transfer_matrices

__all__ = [
    "ArraySolution",
    "LayerTransfer",
    "NonlinearSolution",
    "solve_array",
    "solve_nonlinear",
    "transfer_matrices",
]
