"""Results for people: tables on the terminal."""

from rxsim.report.calibration import print_calibration
from rxsim.report.sweep import print_plan, print_sweep
from rxsim.report.terminal import print_evaluation, print_inventory
from rxsim.report.verification import print_verification

__all__ = [
    "print_calibration",
    "print_evaluation",
    "print_inventory",
    "print_plan",
    "print_sweep",
    "print_verification",
]
