"""Check the circuit solver against independent references: ngspice, and a refined sparse solve."""

from rxsim.verify.compare import REFERENCES, TOLERANCE, ArrayCheck, Circuit, check_array
from rxsim.verify.laws import CellLaw, law_of
from rxsim.verify.netlist import array_netlist

__all__ = [
    "REFERENCES",
    "TOLERANCE",
    "ArrayCheck",
    "CellLaw",
    "Circuit",
    "array_netlist",
    "check_array",
    "law_of",
]
