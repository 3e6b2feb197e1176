"""The array's circuit: conductances and resistances in, the exact g_eff out; it knows no layers."""

from rxsim.circuit.compiling import when_compiling
from rxsim.circuit.newton import NonlinearSolution, solve_nonlinear
from rxsim.circuit.operating import OperatingPoint, chord_matrix, full_currents, solve_cells
from rxsim.circuit.solve import ArraySolution, gated, solve_array, solve_arrays
from rxsim.circuit.source_power import (
    SourceNetwork,
    source_currents,
    source_network,
    source_power,
)

__all__ = [
    "ArraySolution",
    "NonlinearSolution",
    "OperatingPoint",
    "SourceNetwork",
    "chord_matrix",
    "full_currents",
    "gated",
    "solve_array",
    "solve_arrays",
    "solve_cells",
    "solve_nonlinear",
    "source_currents",
    "source_network",
    "source_power",
    "when_compiling",
]
