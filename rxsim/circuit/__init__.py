"""The array's circuit: conductances and resistances in, the exact g_eff out; it knows no layers."""

from rxsim.circuit.compiling import when_compiling
from rxsim.circuit.newton import NonlinearSolution, solve_nonlinear
from rxsim.circuit.operating import OperatingPoint, chord_matrix, full_currents, solve_cells
from rxsim.circuit.solve import ArraySolution, gated, solve_array

__all__ = [
    "ArraySolution",
    "NonlinearSolution",
    "OperatingPoint",
    "chord_matrix",
    "full_currents",
    "gated",
    "solve_array",
    "solve_cells",
    "solve_nonlinear",
    "when_compiling",
]
