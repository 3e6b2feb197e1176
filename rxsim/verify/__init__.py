"""Check the circuit solver against independent references: ngspice, and a refined sparse solve."""

from rxsim.verify.compare import REFERENCES, TOLERANCE, ArrayCheck, Circuit, check_array
from rxsim.verify.drive import LayerDrive, PassDrive, pass_names
from rxsim.verify.laws import CellLaw, law_of
from rxsim.verify.netlist import array_netlist

__all__ = [
    "REFERENCES",
    "TOLERANCE",
    "ArrayCheck",
    "CellLaw",
    "Circuit",
    "LayerDrive",
    "PassDrive",
    "array_netlist",
    "check_array",
    "law_of",
    "pass_names",
]
