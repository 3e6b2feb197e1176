"""The Python interface: one function for each command, with the same results.

Nothing here prints or writes unless it is given a path. What can't be used raises
`rxsim.errors.InputError` with the sentence that the command would print.
"""

from rxsim.api.accepted import settings
from rxsim.api.campaigns import check, run_sweep
from rxsim.api.comparisons import compare
from rxsim.api.costs import price
from rxsim.api.devices import FittedDevice, fit
from rxsim.api.explanations import explanation
from rxsim.api.networks import calibration, evaluate, inventory, patched
from rxsim.api.searches import run_search
from rxsim.api.shown import (
    Comparison,
    Evaluation,
    Explanation,
    Inventory,
    NetworkCost,
    Retraining,
    Verification,
)
from rxsim.api.single_arrays import netlist, predistorted, solve, verification
from rxsim.api.trainings import retrained, torch_module

__all__ = [
    "Comparison",
    "Evaluation",
    "Explanation",
    "FittedDevice",
    "Inventory",
    "NetworkCost",
    "Retraining",
    "Verification",
    "calibration",
    "check",
    "compare",
    "evaluate",
    "explanation",
    "fit",
    "inventory",
    "netlist",
    "patched",
    "predistorted",
    "price",
    "retrained",
    "run_search",
    "run_sweep",
    "settings",
    "solve",
    "torch_module",
    "verification",
]
